"""Running the application on an address of this machine."""

import os
import socket
from dataclasses import replace

from natviews.index.forms import threads
from natviews.progress import progress
from natviews.serving.settings import Settings
from natviews.types import NatviewsError


def serve(settings: Settings) -> None:
    """Serves until it is interrupted; prints the address when it can be opened. Raises NatviewsError where a
    package is missing, the store cannot be opened or the port is taken."""
    try:
        import uvicorn
        from threadpoolctl import threadpool_limits

        from natviews.serving.app import create_app
        from natviews.serving.connections import Connection
    except ImportError as error:
        raise NatviewsError(f"Serving needs the package {error.name}; pip install 'natviews[serve]'.") from None
    bound = _bound(settings)
    settings = replace(settings, threads=settings.threads or threads())
    os.environ["OMP_NUM_THREADS"] = "1"  # FAISS and BLAS: many searches at once, each by one thread
    threadpool_limits(1, user_api="blas")
    with progress("opening the store"):
        app = create_app(settings)
    config = uvicorn.Config(
        app, access_log=False, log_level="warning", server_header=False, timeout_keep_alive=30,
        timeout_graceful_shutdown=10, limit_concurrency=1000, http=Connection,
    )  # fmt: skip
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"http://{host}:{bound.getsockname()[1]}/", flush=True)
    uvicorn.Server(config).run(sockets=[bound])


def _bound(settings: Settings) -> socket.socket:
    """A listening socket, so that a port that is taken is known before anything is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(512)
    except OSError as error:
        raise NatviewsError(
            f"{settings.host}:{settings.port} cannot be opened: {error.strerror}; choose another --port."
        ) from None
    return bound
