"""The API: what is asked for is found, written and told; what cannot be is one sentence."""

import json

import numpy as np
from served_shops import opened


def test_a_photo_finds_its_own_product_first(client, catalog, photo_bytes):
    for row in (0, 7, 31):
        found = client.post("/v1/search/photo?k=5", files={"photo": photo_bytes(row)})
        assert found.status_code == 200, found.text
        best = found.json()["results"][0]
        assert best["product_id"] == catalog.product_ids[row] and best["score"] > 0.99
        scores = [one["score"] for one in found.json()["results"]]
        assert scores == sorted(scores, reverse=True) and len(scores) == 5


def test_a_product_finds_what_looking_at_every_vector_finds_and_never_itself(client, shop):
    from natviews.index import read_embeddings

    embeddings = read_embeddings(shop / "e.parquet")
    product = embeddings.product_ids[0]
    own = embeddings.product_ids == product
    cosines = (embeddings.vectors[own][:8] @ embeddings.vectors.T).max(axis=0)
    best = {}
    for name, cosine in zip(embeddings.product_ids.tolist(), cosines.tolist(), strict=True):
        best[name] = max(best.get(name, -1), cosine)
    best.pop(product)
    wanted = sorted(best.items(), key=lambda held: -held[1])[:10]
    found = client.get("/v1/search/product", params={"product_id": product, "k": 10}).json()["results"]
    assert [one["product_id"] for one in found] == [name for name, _ in wanted]
    np.testing.assert_allclose([one["score"] for one in found], [score for _, score in wanted], atol=1e-5)


def test_conditions_hold_of_everything_that_is_found(client, catalog):
    product = catalog.product_ids[0]
    kinds = set(catalog.column("product_type").tolist())
    kind = sorted(kinds)[0]
    asked = {"product_id": product, "where": [f"product_type={kind}", "price<60"], "k": 50}
    found = client.get("/v1/search/product", params=asked).json()["results"]
    assert found and all(one["facts"]["product_type"] == kind for one in found)
    assert all(float(one["facts"]["price"]) < 60 for one in found)
    wrong = client.get("/v1/search/product", params=asked | {"where": "colr=red"})
    assert wrong.status_code == 422 and "did you mean 'colour'" in wrong.json()["detail"]


def test_a_probability_rises_with_the_score_and_is_learnt_from_held_out_products(client, catalog):
    service = client.service
    assert service.worth.done.wait(30) and service.worth.calibration is not None
    low, high = service.worth.probability(0.2), service.worth.probability(0.99)
    assert 0 < low <= high < 1
    assert service.worth.asked == len(
        {p for p, split in zip(catalog.product_ids, catalog.column("split"), strict=True) if split == "val"}
        & {p for p in catalog.product_ids if (catalog.product_ids == p).sum() > 1}
    )


def test_titles_are_found_by_their_words_those_with_most_first(client, catalog):
    title = str(catalog.column("title")[0])
    found = client.get("/v1/search/title", params={"text": title.lower()}).json()
    assert found["items"][0]["facts"]["title"] == title
    nothing = client.get("/v1/search/title", params={"text": "zzzzzz"}).json()
    assert nothing == {"total": 0, "items": []}
    pages = [client.get("/v1/search/title", params={"start": start, "k": 40}).json() for start in (0, 40, 80)]
    products = [one["product_id"] for page in pages for one in page["items"]]
    assert len(products) == len(set(products)) == len(set(catalog.product_ids.tolist()))


def test_same_designs_are_refused_where_the_store_has_none(client, catalog):
    asked = {"product_id": catalog.product_ids[0], "mode": "design"}
    refused = client.get("/v1/search/product", params=asked)
    assert refused.status_code == 409 and "no vectors of designs" in refused.json()["detail"]


def test_what_is_not_there_is_404(client):
    for address in (
        "/v1/search/product?product_id=none", "/v1/items?product_id=none", "/v1/tables/prices",
        "/v1/photo?id=none.jpg", "/v1/nowhere", "/nowhere",
    ):  # fmt: skip
        answer = client.get(address)
        assert answer.status_code == 404 and answer.json()["detail"].endswith("."), address


def test_a_photo_that_was_taken_in_is_found_and_one_taken_out_is_not(writing, photo_bytes):
    form = {"id": "new/é 1.jpg", "product_id": "new", "facts": json.dumps({"title": "A brand new one"})}
    taken = writing.post("/v1/items", data=form, files={"photo": photo_bytes(3)})
    assert taken.status_code == 201, taken.text
    assert taken.json() == {"id": form["id"], "product_id": "new"}
    found = writing.post("/v1/search/photo?k=3", files={"photo": photo_bytes(3)}).json()["results"]
    assert "new" in [one["product_id"] for one in found[:2]]
    assert writing.get("/v1/search/title?text=brand").json()["items"][0]["id"] == form["id"]
    picture = writing.get("/v1/photo", params={"id": form["id"]})
    assert picture.status_code == 200 and picture.content[:3] == b"\xff\xd8\xff"
    assert writing.delete("/v1/items", params={"id": [form["id"], "none"]}).json() == {"deleted": 1}
    assert writing.get("/v1/items?product_id=new").status_code == 404
    assert writing.get("/v1/photo", params={"id": form["id"]}).status_code == 404


def test_a_photo_of_the_same_id_is_replaced_and_keeps_the_columns_that_are_not_given(
    writing, catalog, photo_bytes
):
    photo, product = str(catalog.ids[0]), str(catalog.product_ids[0])
    before = len(writing.service.gallery.snapshot)
    known = writing.get("/v1/items", params={"product_id": product}).json()["items"][0]["facts"]
    form = {"id": photo, "product_id": product, "facts": json.dumps({"title": "Renamed"})}
    assert writing.post("/v1/items", data=form, files={"photo": photo_bytes(40)}).status_code == 201
    items = {
        one["id"]: one["facts"] for one in writing.get("/v1/items", params={"product_id": product}).json()["items"]
    }
    assert items[photo] == known | {"title": "Renamed"}
    assert len(writing.service.gallery.snapshot) == before
    found = writing.post("/v1/search/photo?k=2", files={"photo": photo_bytes(40)}).json()["results"]
    assert product in [one["product_id"] for one in found]


def test_facts_that_the_store_has_no_place_for_are_refused(writing, photo_bytes):
    for facts in ("[]", "{", '{"title": 3}', '{"colr": "red"}', '{"vector": "x"}', "[" * 10_000):
        form = {"id": "n", "product_id": "n", "facts": facts}
        refused = writing.post("/v1/items", data=form, files={"photo": photo_bytes(0)})
        assert refused.status_code == 422, facts[:20]
    assert writing.get("/v1/items?product_id=n").status_code == 404


def test_facts_that_are_no_text_are_refused_in_one_sentence(writing, photo_bytes):
    form = {"id": "n", "product_id": "n", "facts": '{"title": "half a character \\ud800"}'}
    answer = writing.post("/v1/items", data=form, files={"photo": photo_bytes(0)})
    assert answer.status_code == 422 and "values are text" in answer.json()["detail"]


def test_a_page_says_what_is_wrong_with_the_photo_or_with_the_question(client, photo_bytes):
    said = client.post("/search", files={"photo": photo_bytes(0)}, data={"where": "prize=3"}).text
    assert "prize" in said and "photo cannot be used" not in said
    assert "The photo cannot be used" in client.post("/search", files={"photo": b"no photo"}).text


def test_embedding_gives_the_vector_that_the_store_holds(client, shop, photo_bytes):
    from natviews.index import read_embeddings

    embeddings = read_embeddings(shop / "e.parquet")
    given = client.post("/v1/embed", files={"photo": photo_bytes(5)}).json()
    assert given["encoder"] == embeddings.made_by.encoder
    assert float(np.dot(given["vector"], embeddings.vectors[5])) > 0.999
    assert set(given["extra"]) == set(embeddings.extra)


def test_a_crop_looks_at_a_part_of_the_photo(client, photo_bytes):
    whole = np.array(client.post("/v1/embed", files={"photo": photo_bytes(5)}).json()["vector"])
    cut = client.post("/v1/embed", files={"photo": photo_bytes(5)}, data={"crop": "0.5,0.5,1,1"}).json()["vector"]
    assert float(whole @ np.array(cut)) < 0.995
    for bad in ("1,2", "0,0,0,0", "a,b,c,d", "0.5,0,0.4,1", "nan,0,1,1"):
        refused = client.post("/v1/embed", files={"photo": photo_bytes(5)}, data={"crop": bad})
        assert refused.status_code == 422 and "crop" in refused.json()["detail"]


def test_tables_are_sorted_searched_and_paged_on_the_server(client):
    falling = client.get("/v1/tables/gaps?sort=price&falling=true&count=5").json()
    prices = [row["price"] for row in falling["rows"]]
    assert prices == sorted(prices, reverse=True) and len(prices) == 5 and falling["total"] == 90
    following = client.get("/v1/tables/gaps?sort=price&falling=true&count=5&start=5").json()
    assert following["rows"][0]["price"] <= prices[-1]
    one = client.get("/v1/tables/gaps?text=item 17").json()
    assert [row["title"] for row in one["rows"]] == ["Item 17"]
    assert client.get("/v1/tables/gaps?sort=prise").status_code == 422


def test_a_csv_is_whole_sorted_and_holds_no_formula(client):
    import csv
    import io

    answer = client.get("/v1/tables/gaps/csv?sort=price")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 90
    prices = [float(row["price"]) for row in rows]
    assert prices == sorted(prices)
    assert "'=SUM(1;2)" in [row["title"] for row in rows]
    assert "attachment" in answer.headers["content-disposition"]


def test_the_map_places_every_product_once_and_knows_their_colours(client, catalog):
    assert client.service.maps.done.wait(60)
    shown = client.get("/v1/map", params={"by": "product_type"}).json()
    assert sorted(shown["products"]) == sorted(set(catalog.product_ids.tolist()))
    assert shown["made"] == "t-SNE" and "product_type" in shown["columns"] and "title" not in shown["columns"]
    assert all(0 <= value <= 1 for value in shown["x"] + shown["y"])
    kinds = dict(zip(catalog.product_ids.tolist(), catalog.column("product_type").tolist(), strict=True))
    assert shown["values"] == [kinds[product] for product in shown["products"]]
    points = np.array([shown["x"], shown["y"]]).T
    away = np.linalg.norm(points[:, None] - points[None], axis=2) + 9 * np.eye(len(points))
    nearest = away.argmin(axis=1)
    snapshot = client.service.gallery.snapshot.main
    rows = [snapshot.rows_of[product][0] for product in shown["products"]]
    cosine = snapshot.embeddings.vectors[rows] @ snapshot.embeddings.vectors[rows].T
    near = cosine[np.arange(len(rows)), nearest].mean()
    assert near > cosine[~np.eye(len(rows), dtype=bool)].mean() + 0.1


def test_the_map_leaves_out_what_went_and_is_drawn_anew_when_much_did(own_shop, catalog):
    def delete(products):
        ids = catalog.ids[np.isin(catalog.product_ids, products)].tolist()
        assert client.delete("/v1/items", params={"id": ids}).json() == {"deleted": len(ids)}

    with opened(own_shop) as client:
        maps = client.service.maps
        assert maps.done.wait(60)
        before = client.get("/v1/map", params={"by": "product_type"}).json()
        delete(before["products"][:1])
        after = client.get("/v1/map", params={"by": "product_type"}).json()
        for name in ("photos", "products", "values", "x", "y"):
            assert after[name] == before[name][1:]
        assert maps.done.is_set()
        delete(before["products"][1:25])
        assert client.get("/v1/map").json()["products"] == before["products"][25:]
        assert maps.done.wait(60)
        anew = client.get("/v1/map").json()
        assert anew["products"] == before["products"][25:] and anew["x"] != before["x"][25:]


def test_the_map_of_an_empty_shop_is_empty_until_something_comes(own_shop, catalog, photo_bytes):
    with opened(own_shop) as client:
        everything = catalog.ids.tolist()
        for start in range(0, len(everything), 100):
            client.delete("/v1/items", params={"id": everything[start : start + 100]})
    with opened(own_shop) as client:
        maps = client.service.maps
        assert maps.done.wait(60)
        assert client.get("/v1/map").json()["products"] == []
        form = {"id": "new.jpg", "product_id": "new"}
        assert client.post("/v1/items", data=form, files={"photo": photo_bytes(3)}).status_code == 201
        client.get("/v1/map")  # sees that much has changed
        assert maps.done.wait(60)
        assert client.get("/v1/map").json()["products"] == ["new"]


def test_health_needs_nothing_and_figures_count_by_route(client):
    assert client.get("/healthz").text == "ok\n" and client.get("/readyz").status_code == 200
    client.get("/v1/search/product?product_id=none")
    figures = client.get("/metrics").text
    assert 'natviews_requests_total{method="GET",route="/v1/search/product",status="404"}' in figures
    assert "product_id=none" not in figures and "natviews_store_photos " in figures


def test_without_an_encoder_everything_but_photos_is_answered(own_shop, photo_bytes, catalog):
    with opened(own_shop, encoder=own_shop / "no-run") as client:
        refused = client.post("/v1/search/photo", files={"photo": photo_bytes(0)})
        assert refused.status_code == 409 and "There is no encoder in" in refused.json()["detail"]
        asked = {"product_id": catalog.product_ids[0]}
        assert client.get("/v1/search/product", params=asked).status_code == 200
        assert client.get("/readyz").status_code == 200
