"""A small store of generated products with its encoder, and a server's application over it."""

import shutil
from pathlib import Path

import pytest
from served_shops import opened, server, wait_ready, write_decisions


@pytest.fixture(scope="session")
def shop(run, catalog, catalog_path, tmp_path_factory):
    """A folder with a store, and what `natviews match`, `gaps` and `groups` would write beside it."""
    from natviews.encoders import Encoder, embed_catalog
    from natviews.index import Store, read_embeddings

    folder = tmp_path_factory.mktemp("shop")
    embed_catalog(
        Encoder.load(run.encoder),
        catalog,
        folder / "e.parquet",
        location=str(run.folder),
        source=str(catalog_path),
    )
    table = catalog.table.rename_columns(["id" if n == "image" else n for n in catalog.table.column_names])
    Store.create(folder / "store", read_embeddings(folder / "e.parquet"), table)
    write_decisions(folder, catalog)
    return folder


@pytest.fixture
def own_shop(shop, tmp_path):
    """A copy that a test may write to."""
    shutil.copytree(shop, tmp_path / "shop")
    return tmp_path / "shop"


@pytest.fixture(scope="module")
def client(shop):
    """Reads; tests that write take `own_shop`."""
    with opened(shop) as client:
        yield client


@pytest.fixture
def writing(own_shop):
    with opened(own_shop) as client:
        yield client


@pytest.fixture(scope="session")
def photo_bytes(catalog):
    """The bytes of a catalogue's photo by its row."""
    return lambda row: Path(catalog.photos[row].path).read_bytes()


@pytest.fixture(scope="session")
def served(shop, tmp_path_factory):
    """The address of a server in a process of its own, over a copy of the shop, and that copy's folder."""
    folder = tmp_path_factory.mktemp("served") / "shop"
    shutil.copytree(shop, folder)
    with server(folder) as (_, address):
        wait_ready(address)
        yield address, folder
