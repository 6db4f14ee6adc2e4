"""From a catalogue to a search in a dozen lines: generate, train, embed, search.

python examples/search_by_photo.py FOLDER
"""

import sys
from pathlib import Path

from natviews import Catalog, Encoder, ExactIndex, Recipe, generate_catalog, train
from natviews.encoders import embed_catalog
from natviews.index import read_embeddings


def main(folder: Path, products: int = 300, epochs: int = 10) -> None:
    catalog = Catalog.open(generate_catalog(folder / "catalog", products=products, size=128))
    run = train(catalog, Recipe.load("demo", [f"training.epochs={epochs}"]), folder / "run")
    embed_catalog(Encoder.load(run.encoder), catalog, folder / "embeddings.parquet")
    embeddings = read_embeddings(folder / "embeddings.parquet")

    photo = embeddings.ids[0]
    matches = ExactIndex(embeddings).search(embeddings.vectors[:1], k=3, query_ids=embeddings.ids[:1])
    for match, score in zip(matches.ids[0], matches.scores[0], strict=True):
        print(f"{photo} looks like {match} ({score:.2f})")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example"))
