"""The generated catalogues that studies learn from where none is given; drawn once and found again."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from natviews.catalog import Catalog, generate_catalog, generate_marketplaces
from natviews.files import whole_file
from natviews.progress import progress

SIZE = 128


def drawn_shop(folder: Path, products: int, *, seed: int = 0) -> Path:
    """The CSV of a drawn shop."""
    drawn = folder / "catalog.csv"  # it is written last: where it is, the photos are
    if not drawn.exists():
        with progress("drawing product photos", products) as advance:
            generate_catalog(
                folder, products=products, seed=seed, size=SIZE, progress=lambda done, total: advance(1)
            )
    return drawn


def drawn_marketplaces(folder: Path, products: int) -> Path:
    """The CSV of two drawn marketplaces of so many products each, half of them the same; `item` is what these
    share."""
    joined = folder / "catalog.csv"
    if joined.exists():
        return joined
    with progress("drawing two marketplaces", 2 * products) as advance:
        paths = generate_marketplaces(
            folder, products=products, size=SIZE, progress=lambda done, total: advance(1)
        )
    pairs = pa.csv.read_csv(paths[2])
    item_of: dict[str, str] = {}
    for ours, theirs in zip(*(column.to_pylist() for column in pairs.columns), strict=True):
        item_of[ours] = item_of[theirs] = ours
    tables = []
    for path in paths[:2]:
        catalog = Catalog.open(path)
        items = np.array([item_of.get(product, "") for product in catalog.product_ids.tolist()])
        places = np.char.add(f"{path.parent.name}/", catalog.ids)
        tables.append(catalog.with_column("item", items).with_column("image", places).table)
    with whole_file(joined) as temporary:
        pa.csv.write_csv(pa.concat_tables(tables, promote_options="default"), temporary)
    return joined
