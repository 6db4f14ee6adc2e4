"""Why two photos are alike: the parts that their similarity hangs on, by vectors of photos with parts covered."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from natviews.serving.describing import Described
from natviews.serving.explaining import Explainer
from natviews.serving.problems import Busy, Unable


class LeftAndRight:
    """Describes a photo by how bright its halves are; the design by its right half alone."""

    crop = 1.0

    def __init__(self, heads=("design",)):
        self.heads, self.asked = heads, 0

    def prepared(self, photo):
        return photo[:, 8:-8]  # the encoder is shown less than there is

    def submit(self, photo, *, is_prepared):
        assert is_prepared and photo.shape[1] == 64
        self.asked += 1
        halves = [photo[:, :32].mean(), photo[:, 32:].mean()]
        vector = (1 + np.array(halves)) / np.linalg.norm(1 + np.array(halves))
        right = np.array([halves[1] > 140, halves[1] <= 140], float)
        described = Described(vector, dict.fromkeys(self.heads, right))
        return SimpleNamespace(result=lambda: described)


def photo(*patches):
    """Black, with white patches (top, left, bottom, right); 64 x 80, of which the middle 64 columns are shown."""
    made = np.zeros((64, 80, 3), np.uint8)
    for top, left, bottom, right in patches:
        made[top:bottom, 8 + left : 8 + right] = 255
    return made


def test_each_photo_is_shaded_where_it_resembles_the_other():
    one, other = photo((0, 0, 16, 16), (40, 40, 64, 64)), photo((0, 0, 64, 30))
    describer = LeftAndRight()
    found = Explainer(describer).explain((one, other), design=False)
    assert found[0].parts.similarity == pytest.approx(found[1].parts.similarity)
    for explained, sent in zip(found, (one, other), strict=True):
        assert np.array_equal(explained.picture, sent[:, 8:-8])
        assert explained.parts.fall.shape == (8, 8) and explained.parts.window == (0, 0, 1, 1)
    fall = found[
        0
    ].parts.fall  # the other is bright on the left: that corner holds, what is bright on the right hinders
    assert fall.argmax() == 0 and fall[0, 0] > 0.05 and fall[5:, 5:].max() < -0.01
    assert np.abs(fall[3:, :3]).max() < abs(fall[0, 0]) / 3
    assert describer.asked == 2 + 2 * 50


def test_designs_have_their_own_reasons_and_an_encoder_without_them_says_so():
    one = photo((0, 32, 64, 64))
    similarity = Explainer(LeftAndRight()).explain((one, one), design=True)[0].parts.similarity
    assert similarity == 1
    with pytest.raises(Unable, match="no vectors of designs"):
        Explainer(LeftAndRight(heads=())).explain((one, one), design=True)


def test_one_pair_at_a_time_and_an_error_does_not_end_it():
    describer, began, go = LeftAndRight(), threading.Event(), threading.Event()
    explainer, plain = Explainer(describer), describer.prepared

    def slow(sent):
        began.set()
        assert go.wait(20)
        return plain(sent)

    describer.prepared = slow
    first = threading.Thread(
        target=explainer.explain, args=((photo(), photo((0, 0, 9, 9))),), kwargs={"design": False}
    )
    first.start()
    assert began.wait(20)
    with pytest.raises(Busy):
        explainer.explain((photo(), photo()), design=False)
    go.set()
    first.join(20)
    describer.prepared = lambda sent: 1 / 0
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            explainer.explain((photo(), photo()), design=False)


def test_photos_of_the_store_and_photos_that_are_sent_are_explained_alike(client, catalog, photo_bytes, shop):
    from natviews.index import read_embeddings

    embeddings = read_embeddings(shop / "e.parquet")
    ids = catalog.ids.tolist()
    stored = client.post("/v1/search/why", data={"match": ids[7], "query": ids[0]})
    assert stored.status_code == 200, stored.text
    vectors = [embeddings.vectors[embeddings.ids.tolist().index(ids[row])] for row in (0, 7)]
    assert stored.json()["score"] == pytest.approx(float(vectors[0] @ vectors[1]), abs=0.02)
    for part in ("query", "match"):
        regions = stored.json()[part]
        assert np.shape(regions["fall"]) == (8, 8) and np.abs(regions["fall"]).max() > 0
        assert 0 <= regions["window"][0] < regions["window"][2] <= 1
    sent = client.post("/v1/search/why", data={"match": ids[7]}, files={"photo": photo_bytes(0)})
    np.testing.assert_allclose(sent.json()["query"]["fall"], stored.json()["query"]["fall"], atol=0.02)
    cut = client.post(
        "/v1/search/why", data={"match": ids[7], "crop": "0,0,.5,.5"}, files={"photo": photo_bytes(0)}
    )
    assert cut.json()["score"] != pytest.approx(sent.json()["score"], abs=1e-4)


def test_what_cannot_be_explained_is_one_sentence(client, catalog, photo_bytes):
    known = catalog.ids[0]
    for data, files, status, sentence in (
        ({"match": "nowhere"}, {"photo": photo_bytes(0)}, 404, "no photo 'nowhere'"),
        ({"match": known, "query": "nowhere"}, None, 404, "no photo 'nowhere'"),
        ({"match": known}, None, 422, "either a photo or the id"),
        ({"match": known, "query": known}, {"photo": photo_bytes(0)}, 422, "either a photo or the id"),
        ({"match": known, "query": known, "mode": "design"}, None, 409, "no vectors of designs"),
        ({"match": known}, {"photo": b"nothing"}, 422, "cannot be used"),
    ):
        refused = client.post("/v1/search/why", data=data, files=files)
        assert refused.status_code == status and sentence in refused.json()["detail"], refused.text


def test_the_page_takes_the_products_photo_that_is_most_alike(client, catalog, shop):
    from natviews.index import read_embeddings

    embeddings = read_embeddings(shop / "e.parquet")
    own = np.flatnonzero(embeddings.product_ids == catalog.product_ids[0])
    assert len(own) > 1
    for match in np.flatnonzero(embeddings.product_ids != catalog.product_ids[0])[:12]:
        nearest = own[(embeddings.vectors[own] @ embeddings.vectors[match]).argmax()]
        found = client.service.nearest_photo(catalog.product_ids[0], str(embeddings.ids[match]))
        assert found == embeddings.ids[nearest]
    page = client.get("/why", params={"product": catalog.product_ids[0], "match": embeddings.ids[match]})
    assert page.status_code == 200 and page.text.count("<svg") >= 2 and 'class="holds"' in page.text
    assert client.get("/why", params={"product": "nobody", "match": embeddings.ids[0]}).status_code == 404


def test_without_an_encoder_no_page_offers_to_explain(client, catalog, monkeypatch):
    asked = {"product": catalog.product_ids[0]}
    assert "/why?" in client.get("/search", params=asked).text
    monkeypatch.setattr(client.service.describer, "problem", "There is no encoder.")
    found = client.get("/search", params=asked).text
    assert "why-link" not in found and found.count('class="tile"') > 3
