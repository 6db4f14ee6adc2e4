"""Clusters are shown with all their colours, beside the mix of all photos."""

import numpy as np
import pytest

from natviews.catalog import pack, with_split
from natviews.report.clusters import PHOTOS, SHOWN, colour_clusters
from natviews.report.colour_shares import shares_of
from natviews.report.report import Cluster


@pytest.fixture(scope="module")
def packed(catalog):
    return with_split(pack(catalog, 64))


def test_clusters_are_the_largest_with_all_their_colours(packed):
    fresh = packed.catalog.column("near_dup_within") != "1"
    group = np.array([0, 1, 1, 2, 2, 2])[np.arange(len(packed)) % 6]
    vectors = np.eye(3, dtype=np.float32)[group]
    catalog = packed.catalog.with_column("hue", np.array(["red", "blue", ""])[group])
    found = colour_clusters(vectors, packed.with_catalog(catalog), "hue")
    sizes = [int((fresh & (group == i)).sum()) for i in range(3)]
    assert found[0].count == sum(sizes) and found[0].colours == {
        "red": sizes[0], "blue": sizes[1]
    } and not found[0].shown  # fmt: skip
    assert sorted(cluster.count for cluster in found[1:]) == sorted(sizes)
    assert [c.count for c in found[1:]] == sorted((c.count for c in found[1:]), reverse=True)
    assert sorted(map(len, (cluster.colours for cluster in found[1:]))) == [0, 1, 1]
    assert all(len(cluster.shown) == PHOTOS for cluster in found[1:]) and len(found) - 1 <= SHOWN
    ids = catalog.ids.tolist()
    assert all(len({group[ids.index(photo.id)] for photo in c.shown}) == 1 for c in found[1:])


def test_styles_are_counted_where_they_are_asked_for_and_no_colour_makes_no_cluster(packed):
    vectors = np.eye(4, dtype=np.float32)[np.arange(len(packed)) % 4]
    found = colour_clusters(vectors, packed, "colour", "pattern")
    assert found[0].styles and list(found[0].styles.values()) == sorted(found[0].styles.values(), reverse=True)
    bare = packed.catalog.with_column("hue", np.full(len(packed), ""))
    assert colour_clusters(vectors, packed.with_catalog(bare), "hue") == []


def test_a_bar_adds_up_and_a_colour_has_one_paint_in_all_bars():
    colours = {f"c{i}": 20 - i for i in range(12)}
    shares = shares_of(Cluster(999, [], colours), list(colours))
    assert sum(share.share for share in shares) == pytest.approx(1) and len(shares) == 9
    assert shares[-1].name == "4 others" and shares[-1].count == sum(range(9, 13)) and shares[-1].paint == ""
    other = shares_of(Cluster(9, [], {"c3": 1, "light NAVY-blue": 2}), list(colours))
    assert len({share.paint for share in shares[:6]}) == 6
    assert other[0].paint == shares[3].paint and other[1].paint == "#2f62c9"
    nine = {f"c{i}": 1 for i in range(9)}
    assert [share.name for share in shares_of(Cluster(9, [], nine), list(nine))] == list(nine)
    assert shares_of(Cluster(3, [], {}), []) == []
