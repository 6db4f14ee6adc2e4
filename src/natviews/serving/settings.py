"""What a server is started with: where everything lies, and how much anyone may ask of it."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from natviews.serving.hosts import Hosts
from natviews.serving.keys import Keys
from natviews.types import NatviewsError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Limits:
    """Of one server. `rate` and `burst` are requests a second and at once by one client (0: any number), `body`
    bytes of a request, `body_seconds` how long it may take to arrive, `uploads` how many may arrive at once,
    `pixels` of a photo, `decode_seconds` and `decode_bytes` what decoding one may take, `decoders` processes that
    do it, `fetch_seconds` how long a URL has to give one (of at most `body` bytes), `fetches` how many at once.
    """

    rate: float = 500.0
    burst: int = 1000
    body: int = 20 * 2**20
    body_seconds: float = 30.0
    uploads: int = 64
    pixels: int = 40_000_000
    decode_seconds: float = 10.0
    decode_bytes: int = 2**30
    decoders: int = 2
    fetch_seconds: float = 5.0
    fetches: int = 16


@dataclass(frozen=True)
class Settings:
    """`store` is a store's folder (or a Parquet of embeddings, which is then read only). `encoder` describes
    new photos; `photos` is the folder that the catalogue's photos are relative to, `their_photos` that of the
    other catalogue; `tables` holds what `natviews match`, `prices` and so on wrote, and quarantine.csv;
    `report` is a run's or an evaluation's folder.
    """

    store: Path
    encoder: Path | None = None
    photos: Path | None = None
    their_photos: Path | None = None
    tables: Path | None = None
    report: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    keys: Keys = field(default_factory=lambda: Keys((), ()))
    limits: Limits = field(default_factory=Limits)
    threads: int | None = None
    """Cores that describe photos together; None: as many as torch would take."""
    names: tuple[str, ...] = ()
    """Host names by which the server may be called beside those of this machine; with keys, any."""
    fetch_from: Hosts = field(default_factory=Hosts)
    """Where photos may be fetched from that are asked for by a URL; nowhere, if not given."""

    def __post_init__(self) -> None:
        if not self.keys and not is_local(self.host):
            raise NatviewsError(
                f"{self.host} can be reached from other machines and no keys are set; give --keys FILE or "
                "NATVIEWS_WRITE_KEYS, or leave --host out."
            )
        if not 0 <= self.port < 2**16:
            raise NatviewsError(f"A port is 0 to 65535, and {self.port} is not.")

    @property
    def folder(self) -> Path:
        """Where the server keeps answers and the photos that were sent to it."""
        if self.store.is_dir():
            return self.store / "serving"
        return self.store.with_name(f"{self.store.name}.serving")


def is_local(host: str) -> bool:
    """Whether a name or address is this machine's alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def catalog_folder(catalog: Path) -> Path:
    """The folder that the photos of a catalogue are relative to. Raises NatviewsError where there is none."""
    if not catalog.exists():
        raise NatviewsError(f"There is no catalogue at {catalog}.")
    return catalog if catalog.is_dir() else catalog.parent
