"""The command line: the verbs, with errors in one plain line."""

import signal
import sys
import warnings

import typer

from natviews.types import NatviewsError
from natviews.verbs import VERBS

SAYS = "Learn what products look like from a shop's own photos, and find the same item again."
INTERRUPTED = 130
"""The exit code of a command that was told to end: 128 and SIGINT's number, as shells have it."""

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=SAYS)
for verb in VERBS:
    app.command()(verb)


def main() -> None:
    """Runs a command. Exit code 1: something to mend, said in one line; 2: wrong usage; 130: interrupted."""
    warnings.filterwarnings("ignore", module=r"lightning|torch|PIL")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler that ends a job is an interruption
    try:
        app()
    except NatviewsError as error:
        print(f"natviews: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that went away: nothing whole is lost
        print(f"natviews: {error}; mend that and run the same command again.", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as end:  # typer turns the first into the second, without a word
        if not isinstance(end, KeyboardInterrupt) and end.code != INTERRUPTED:
            raise
        print("natviews: interrupted; run the same command again to continue.", file=sys.stderr)
        sys.exit(INTERRUPTED)
