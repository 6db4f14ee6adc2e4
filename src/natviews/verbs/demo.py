"""The whole job with nothing given."""

from pathlib import Path
from typing import Annotated

from typer import Option

from natviews.verbs.arguments import Out, Seed, generated
from natviews.verbs.deciding import tell_decision
from natviews.verbs.encoders import embed, train
from natviews.verbs.finding import index
from natviews.verbs.judging import evaluate
from natviews.verbs.serving import serve as serve_store


def demo(
    out: Out = Path("runs/demo"),
    products: Annotated[int, Option(min=20, help="How many products to generate.")] = 900,
    seed: Seed = 0,
    serve: Annotated[bool, Option("--serve", help="Then serve it: pages at an address that is printed.")] = False,
) -> None:
    """Generate a catalogue, train an encoder, match and report: the whole job in minutes, with nothing given."""
    catalog = generated(out / "catalog", products=products, seed=seed, size=256)
    train(catalog, out=out / "run", recipe="demo", settings=[f"training.seed={seed}"])
    embed(out / "run", catalog, out=out / "embeddings.parquet")

    import numpy as np

    from natviews.matching import Choosing, match_halves, open_side

    side = open_side(out / "embeddings.parquet")
    unseen = side.take(np.isin(side.text("split"), ("val", "test"))[side.product])
    tell_decision(match_halves(unseen, Choosing(precision=0.9, ranks=5)), out / "matches.parquet")
    evaluate(out / "embeddings.parquet", catalog, out=out)
    if serve:
        index(out / "embeddings.parquet", catalog, out=str(out / "store"))
        serve_store(out / "store", report=out)
