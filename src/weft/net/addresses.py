"""Which addresses a request may reach: our own table, because the standard library calls too many of them global.

An IPv6 address is public only inside 2000::/3 and outside the special blocks there. An IPv4 address that travels inside an
IPv6 one (mapped, NAT64) is judged by itself; the other ways to wrap one (6to4, Teredo, compatible) are never public.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, NamedTuple

Address = IPv4Address | IPv6Address
Reach = Literal["public", "loopback", "private", "never"]


class Verdict(NamedTuple):
    """How far an address reaches, and what to call it in a message."""

    reach: Reach
    label: str


_PUBLIC = Verdict("public", "public")
_LOOPBACK = Verdict("loopback", "loopback")
_PRIVATE = Verdict("private", "private network")
_METADATA = Verdict("never", "cloud metadata")
_LINK_LOCAL = Verdict("never", "link-local")
_MULTICAST = Verdict("never", "multicast")
_RESERVED = Verdict("never", "reserved")
_UNSPECIFIED = Verdict("never", "unspecified")
_TUNNEL = Verdict("never", "tunnelled")

_METADATA_HOSTS = frozenset(
    {
        IPv4Address("169.254.169.254"),  # AWS, Google, Azure and most others
        IPv4Address("169.254.170.2"),  # AWS task roles
        IPv4Address("169.254.170.23"),  # AWS pod identity
        IPv4Address("100.100.100.200"),  # Alibaba
        IPv4Address("168.63.129.16"),  # Azure's host
        IPv4Address("192.0.0.192"),  # Oracle
        IPv6Address("fd00:ec2::254"),
        IPv6Address("fd00:ec2::23"),
        IPv6Address("fd20:ce::254"),
    }
)

_V4 = tuple(
    (IPv4Network(block), verdict)
    for block, verdict in (
        ("127.0.0.0/8", _LOOPBACK),
        ("10.0.0.0/8", _PRIVATE),
        ("172.16.0.0/12", _PRIVATE),
        ("192.168.0.0/16", _PRIVATE),
        ("100.64.0.0/10", Verdict("private", "carrier-grade NAT")),
        ("169.254.0.0/16", _LINK_LOCAL),
        ("0.0.0.0/8", _UNSPECIFIED),
        ("192.0.0.0/24", _RESERVED),
        ("192.0.2.0/24", _RESERVED),
        ("192.88.99.0/24", _TUNNEL),
        ("198.18.0.0/15", _RESERVED),
        ("198.51.100.0/24", _RESERVED),
        ("203.0.113.0/24", _RESERVED),
        ("224.0.0.0/4", _MULTICAST),
        ("240.0.0.0/4", _RESERVED),
    )
)

_V6 = tuple(
    (IPv6Network(block), verdict)
    for block, verdict in (
        ("::1/128", _LOOPBACK),
        ("::/128", _UNSPECIFIED),
        ("fc00::/7", _PRIVATE),
        ("fec0::/10", _PRIVATE),
        ("fe80::/10", _LINK_LOCAL),
        ("ff00::/8", _MULTICAST),
        ("2001::/23", _TUNNEL),
        ("2001:db8::/32", _RESERVED),
        ("2002::/16", _TUNNEL),
        ("3fff::/20", _RESERVED),
    )
)

_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def classify(address: Address) -> Verdict:
    """How far `address` reaches."""
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return classify(embedded)
    if address in _METADATA_HOSTS:
        return _METADATA
    if isinstance(address, IPv4Address):
        return next((verdict for block, verdict in _V4 if address in block), _PUBLIC)
    special = next((verdict for block, verdict in _V6 if address in block), None)
    if special is not None:
        return special
    return _PUBLIC if address in _GLOBAL_V6 else _RESERVED


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None
