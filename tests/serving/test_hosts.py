"""Which hosts and addresses a server may fetch from."""

from ipaddress import ip_address

import pytest

from natviews.serving import Hosts
from natviews.serving.hosts import is_public
from natviews.types import NatviewsError

PUBLIC = (
    "8.8.8.8", "1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111",
    "2a00:1450:4001::8",
)  # fmt: skip
INSIDE = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "100.127.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "203.0.113.9",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    "64:ff9b::127.0.0.1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1",
    "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
)  # fmt: skip
SHOP = "shop.example.com"


@pytest.mark.parametrize("text", PUBLIC)
def test_addresses_of_the_internet_are_public(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", INSIDE)
def test_what_is_private_local_shared_or_tunnelled_is_not_public(text):
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    ("entry", "url", "expected"),
    [
        (SHOP, ("https", SHOP, 443), True),
        (SHOP, ("http", SHOP, 80), True),
        (SHOP, ("https", SHOP, 80), False),
        (SHOP, ("http", SHOP, 8080), False),
        (SHOP, ("ftp", SHOP, 21), False),
        (SHOP, ("https", f"a.{SHOP}", 443), False),
        (SHOP, ("https", f"a{SHOP}", 443), False),
        (SHOP, ("https", f"{SHOP}.", 443), False),
        (SHOP, ("https", f"{SHOP}.evil.com", 443), False),
        (SHOP, ("https", "", None), False),
        ("Shop.EXAMPLE.com", ("https", SHOP, 443), True),
        ("*.cdn.example.com", ("https", "a.cdn.example.com", 443), True),
        ("*.cdn.example.com", ("https", "b.a.cdn.example.com", 443), True),
        ("*.cdn.example.com", ("https", "cdn.example.com", 443), False),
        ("*.cdn.example.com", ("https", "evilcdn.example.com", 443), False),
        ("*.cdn.example.com", ("https", ".cdn.example.com", 443), False),
        ("*.cdn.example.com", ("https", "a b.cdn.example.com", 443), False),
        ("*.cdn.example.com", ("https", "%61.cdn.example.com", 443), False),
        (f"{SHOP}:8443", ("https", SHOP, 8443), True),
        (f"{SHOP}:8443", ("https", SHOP, 443), False),
        ("*.example.com:81", ("http", SHOP, 81), True),
        ("müller.de", ("https", "xn--mller-kva.de", 443), True),
    ],
)
def test_an_entry_allows_a_host_at_its_ports(entry, url, expected):
    assert Hosts.read([entry]).allow(*url) is expected
    assert not Hosts().allow(*url)


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.com", "com", "localhost", "127.0.0.1", "*.0.1", "a.0x7f", "2130706433", "[::1]", "https://a.com",
     "a.com/x", "u@a.com", "a.com:", "a.com:0", "a.com:65536", "a.com:x", "*.*.a.com", "a.*.com", "a..com",
     "-a.com", "a b.com"],
)  # fmt: skip
def test_an_entry_that_is_no_host_is_refused_at_the_start(entry):
    with pytest.raises(NatviewsError, match="cannot be fetched from"):
        Hosts.read([entry])
