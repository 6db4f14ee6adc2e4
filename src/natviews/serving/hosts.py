"""Where a server may fetch photos from: hosts that whoever runs it names, at addresses of the public internet."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from natviews.types import NatviewsError

Address = IPv4Address | IPv6Address
PORTS = {"http": 80, "https": 443}
NAME = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII
)
"""A host's name with a dot. Its last label begins with a letter, so that no number is taken for a name."""
UNICAST = ip_network("2000::/3")
"""IPv6 as the internet uses it; outside lie, beside what is private, IPv4 in IPv6's clothes: mapped, NAT64."""
NEVER = tuple(
    ip_network(block)
    for block in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/32", "2002::/16", "3fff::/20")
)
"""Global to `ipaddress` (of Python 3.11), yet a protocol's own, a tunnel to any IPv4 address or written for
documents (IANA's special-purpose registries, RFC 6890), or what a virtual machine at Azure calls its host by."""


def is_public(address: Address) -> bool:
    """Whether an address is one machine of the public internet, so that asking it reaches nothing inside."""
    if address.version == 6 and address not in UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in block for block in NEVER)


@dataclass(frozen=True)
class Host:
    """A host, or with `below` every host whose name ends with a dot and `name`; `port` None: the scheme's own."""

    name: str
    below: bool = False
    port: int | None = None

    @classmethod
    def read(cls, said: str) -> "Host":
        """`HOST`, `*.HOST`, either with `:PORT`. Raises NatviewsError where it is none of these."""
        name, colon, port = said.strip().partition(":")
        below = name.startswith("*.")
        plain = as_connected(name.removeprefix("*."))
        numbered = port.isascii() and port.isdigit() and 0 < int(port[:6]) < 2**16
        if not NAME.fullmatch(plain) or (colon and not numbered):
            raise NatviewsError(
                f"Photos cannot be fetched from {said!r}; name a host, such as shop.example.com, all below one, "
                "*.cdn.example.com, or either with a port, shop.example.com:8443."
            )
        return cls(plain, below, int(port) if colon else None)

    def covers(self, name: str, port: int, usual: int) -> bool:
        """Whether a host's name and port are of this entry; `usual` is the port of the URL's scheme."""
        named = name.endswith(f".{self.name}") if self.below else name == self.name
        return named and port == (usual if self.port is None else self.port)


@dataclass(frozen=True)
class Hosts:
    """Hosts that photos may be fetched from; none, and nothing is fetched."""

    entries: tuple[Host, ...] = ()

    @classmethod
    def read(cls, said: Sequence[str]) -> "Hosts":
        """Of entries as `--fetch-from` takes them. Raises NatviewsError for what is none."""
        return cls(tuple(Host.read(entry) for entry in said))

    def __bool__(self) -> bool:
        return bool(self.entries)

    def allow(self, scheme: str, name: str, port: int | None) -> bool:
        """Whether a URL of these parts, its host's name as it is connected to, may be fetched."""
        usual = PORTS.get(scheme)
        if usual is None or port is None or not NAME.fullmatch(name):
            return False
        return any(entry.covers(name, port, usual) for entry in self.entries)


def as_connected(name: str) -> str:
    """A host's name in lower case and IDNA, by the rules of what connects to it; '' where it is none."""
    from yarl import URL

    try:
        return URL.build(scheme="https", host=name).raw_host or ""
    except ValueError:
        return ""
