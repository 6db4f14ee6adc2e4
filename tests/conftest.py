"""Fixtures shared by all tests: a small generated catalogue, a small trained run, and the real photos."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Packs go to a folder of the tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["NATVIEWS_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def catalog_path(tmp_path_factory):
    """A generated catalogue of 90 products at 96 px."""
    from natviews.catalog import generate_catalog

    return generate_catalog(tmp_path_factory.mktemp("generated"), products=90, seed=1, size=96)


@pytest.fixture(scope="session")
def catalog(catalog_path):
    from natviews.catalog import Catalog

    return Catalog.open(catalog_path)


TINY = [
    "encoder.size=32",
    "encoder.options={width: 16}",
    "method.hidden=32",
    "training.epochs=4",
    "training.batch=16",
    "training.warmup_epochs=1",
    "training.measures=2",
    "training.precision=float32",
    "views.size=32",
]
"""Settings over the recipe `demo` that train in seconds."""


@pytest.fixture(scope="session")
def tiny_settings():
    return list(TINY)


@pytest.fixture(scope="session")
def run(catalog, tmp_path_factory):
    """A finished tiny run."""
    from natviews.training import Recipe, train

    return train(catalog, Recipe.load("demo", TINY), tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def shared_data():
    """Real photos for measuring, where there are any."""
    if not SHARED.is_dir():
        pytest.skip(f"there are no real photos at {SHARED}")
    return SHARED
