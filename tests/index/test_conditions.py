"""Conditions as a user writes them: exact, in one meaning, and never code."""

import pyarrow as pa
import pytest

from natviews.index import Condition, allowed
from natviews.types import NatviewsError

PHOTOS = pa.table(
    {
        "id": ["a", "b", "c", "d", "e"],
        "price": ["5", "20.5", "", " 7 ", None],
        "title": ["mug", "mug = cup", "O'Neil\"", "mug' OR 1=1", None],
        "sold": pa.array([3, 10, 0, None, 2]),
    }
)


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        (["title=mug"], "a"),
        (["title=mug = cup"], "b"),
        (["title=O'Neil\""], "c"),
        (["title=mug' OR 1=1"], "d"),
        (["title!=mug"], "bcde"),
        (["price<20"], "ad"),
        (["price<=20.5"], "abd"),
        (["price>5"], "bd"),
        (["price>=5"], "abd"),
        (["price>5", "title=mug = cup"], "b"),
        (["price="], "c"),
        (["sold>2"], "abe"[:2]),
        (["sold=3"], "a"),
        (["price<-1e3"], ""),
        ([" price <6"], "a"),
    ],
)
def test_photos_that_fulfil_all_conditions_are_allowed(conditions, ids):
    assert (
        "".join(pa.array(PHOTOS["id"].to_pylist()).filter(pa.array(allowed(PHOTOS, conditions))).to_pylist())
        == ids
    )


def test_without_conditions_there_is_no_filter():
    assert allowed(PHOTOS, []) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title", "no condition"),
        ("=5", "no condition"),
        ("price<cheap", "comes a number"),
        ("price<nan", "comes a number"),
        ("price<", "comes a number"),
        ("prise=5", "'price'"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(text, said):
    with pytest.raises(NatviewsError, match=said):
        Condition.read(text).holds(PHOTOS)
