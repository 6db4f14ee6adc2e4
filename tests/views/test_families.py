import pytest

from natviews.views.families import family


@pytest.mark.parametrize(
    ("product_type", "expected"),
    [
        ("dress", "dress"),
        ("Women's Dresses", "dress"),
        ("kids_dress", "dress"),
        ("shirt dress", "dress"),
        ("dress shirt", "shirt"),
        ("T-Shirts", "shirt"),
        ("tshirt", "shirt"),
        ("Track Pants", "trousers"),
        ("running-shoes", "shoes and bags"),
        ("Handbags", "shoes and bags"),
        ("Sofa", "hard goods"),
        ("table lamp", "hard goods"),
        ("watches", "hard goods"),
        ("perfume", ""),
        ("", ""),
        ("topaz", ""),
    ],
)
def test_the_last_telling_word_names_the_family(product_type, expected):
    assert family(product_type) == expected
