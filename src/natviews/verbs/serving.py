"""Serving a store: an API and pages."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def serve(
    store: Annotated[Path, Argument(metavar="STORE", help="A folder that `natviews index` made, or a Parquet.")],
    host: Annotated[
        str, Option(help="The address to listen at; others than this machine's need keys.")
    ] = "127.0.0.1",
    port: Annotated[int, Option(help="The port; 0 takes a free one.")] = 8000,
    keys: Annotated[
        Path | None, Option(metavar="FILE", help="Lines `read KEY` and `write KEY`; or NATVIEWS_WRITE_KEYS.")
    ] = None,
    encoder: Annotated[
        Path | None, Option(metavar="RUN", help="Describes new photos; as the store says, if not given.")
    ] = None,
    catalog: Annotated[
        Path | None, Option(metavar="CATALOG", help="Whose photos are shown; as the store says, if not given.")
    ] = None,
    theirs: Annotated[
        Path | None, Option(metavar="CATALOG", help="The other catalogue of matches and gaps.")
    ] = None,
    tables: Annotated[
        Path | None,
        Option(metavar="DIR", help="Where matches.parquet and so on lie; beside the store, if not given."),
    ] = None,
    report: Annotated[
        Path | None, Option(metavar="DIR", help="Where report.html lies: a run or an evaluation.")
    ] = None,
    rate: Annotated[float, Option(min=0, help="Requests a second by one client; 0: any number.")] = 500,
    fetch_from: Annotated[
        list[str] | None,
        Option(metavar="HOST", help="Fetches photos by URL from this host, or all below *.HOST; may be repeated."),
    ] = None,
) -> None:
    """Serve a store over HTTP: search, review and tables as pages, and an API for programs."""
    from natviews.serving import Hosts, Keys, Limits, Settings, catalog_folder
    from natviews.serving.server import serve as run

    limits, held = Limits(rate=rate, burst=max(1, int(2 * rate))), Keys.read(keys)
    hosts = Hosts.read(fetch_from or ())
    ours, other = (catalog_folder(place) if place else None for place in (catalog, theirs))
    run(Settings(store, encoder, ours, other, tables, report, host, port, held, limits, fetch_from=hosts))
