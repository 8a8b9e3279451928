"""Where requests may go: the policy, and the reading of addresses as strict as the policy needs.

What can be judged from the text is judged here; what a name resolves to is judged when it is dialled, in
`weft.net.transport`, by the same `check_address`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from weft.core.errors import InputError, PolicyError
from weft.net.addresses import Address, classify

MAX_URL = 8192
"""The longest address that is sent, in characters."""

_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?")
_NUMERIC = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?")


@dataclass(frozen=True, kw_only=True)
class EgressPolicy:
    """What the HTTP client may reach, and how much one request may take.

    Addresses of this machine and of private networks are denied unless allowed here; metadata services, link-local,
    multicast and reserved addresses always are. `allowed_domains` lists domains that are allowed with their subdomains (empty
    allows any); `blocked_patterns` are regular expressions searched for in the whole address. Times are seconds;
    `timeout_s` covers a request with its redirects and the reading of its answer; `max_response_bytes` counts
    after decompression.

    Raises:
        InputError: a pattern is not a regular expression.
    """

    allow_loopback: bool = False
    allow_private: bool = False
    allowed_domains: tuple[str, ...] = ()
    blocked_patterns: tuple[str, ...] = ()
    max_redirects: int = 5
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    timeout_s: float = 60.0
    max_response_bytes: int = 10 * 1024 * 1024

    def __post_init__(self) -> None:
        for pattern in self.blocked_patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise InputError(
                    f"{pattern!r} is not a regular expression: {error}", fix="correct it in `net.blocked_patterns`"
                ) from error

    @cached_property
    def _domains(self) -> tuple[str, ...]:
        return tuple(domain.lower().strip(".").removeprefix("*.") for domain in self.allowed_domains)

    def lists(self, host: str) -> bool:
        """Whether `allowed_domains` lets `host` pass."""
        host = host.rstrip(".")
        return not self._domains or any(host == domain or host.endswith("." + domain) for domain in self._domains)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address that was read strictly: `url` is its normal form, without fragment, the host in ASCII."""

    scheme: str
    host: str
    port: int
    path: str
    url: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to be the same for credentials to be sent along."""
        return (self.scheme, self.host, self.port)

    @property
    def shown(self) -> str:
        """The address for messages: without its query, which may hold secrets."""
        return self.url.partition("?")[0]


def check_url(url: str, policy: EgressPolicy) -> Target:
    """Read `url`, and hold what its text says to `policy`. Names are not resolved.

    Raises:
        InputError: it is not an address that can be requested.
        PolicyError: it is denied.
    """
    target = _read(url)
    if not policy.lists(target.host):
        raise PolicyError(
            f"the host {target.host} is not among the allowed domains",
            fix="add it to `net.allowed_domains`",
        )
    for pattern in policy.blocked_patterns:
        if re.search(pattern, target.url):
            raise PolicyError(
                f"the address {target.shown} matches a blocked pattern",
                fix="see `net.blocked_patterns`",
            )
    literal = _literal(target.host)
    if literal is not None:
        check_address(literal, target.host, policy)
    return target


def check_base_url(url: str, policy: EgressPolicy) -> str:
    """`url` in its normal form without a trailing slash, when it can be the base of requests under `policy`.

    Raises:
        InputError: it is not an address, or has a query or a fragment.
        PolicyError: it is denied.
    """
    if "?" in url or "#" in url:
        raise InputError("a base URL has no query and no fragment", fix="give scheme, host and path only")
    return check_url(url, policy).url.rstrip("/")


def check_address(address: Address, host: str, policy: EgressPolicy) -> None:
    """Hold one address that `host` stands for to `policy`.

    Raises:
        PolicyError: it is denied; says which address, and which setting would allow it.
    """
    reach, label = classify(address)
    if (
        reach == "public"
        or (reach == "loopback" and policy.allow_loopback)
        or (reach == "private" and policy.allow_private)
    ):
        return
    shown = str(address) if host == str(address) else f"{host} ({address})"
    setting = {"loopback": "net.allow_loopback", "private": "net.allow_private"}.get(reach)
    raise PolicyError(
        f"requests to {shown} are denied: a {label} address",
        fix=f"set `{setting}` to true if that is intended" if setting else "no setting allows it; use another address",
    )


def literal_address(host: str) -> Address | None:
    """The address that `host` is, or None when it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _read(url: str) -> Target:
    if len(url) > MAX_URL:
        raise InputError(f"the address is longer than {MAX_URL} characters", fix="send long values in the body")
    if not url or _FORBIDDEN.search(url) or url != url.strip():
        raise InputError("the address is empty or holds control characters, backslashes or outer spaces", fix=_FIX)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"not an address: {error}", fix=_FIX) from error
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise PolicyError(f"the scheme {scheme!r} is denied", fix="use an http or https address")
    if "@" in parts.netloc:
        raise PolicyError(
            "an address with user information is denied", fix="send credentials in a header, from a secret"
        )
    host = _host(parts.hostname or "", bracketed=parts.netloc.startswith("["))
    if port == 0:
        raise InputError("port 0 cannot be requested", fix=_FIX)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        netloc += f":{port}"
    path = parts.path or "/"
    query = f"?{parts.query}" if parts.query else ""
    return Target(
        scheme=scheme,
        host=host,
        port=port or _PORTS[scheme],
        path=path,
        url=f"{scheme}://{netloc}{path}{query}",
    )


_FIX = "give an address such as https://api.example.com/path"


def _host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            return str(IPv6Address(host)) if "%" not in host else _no_host(host)
        except ValueError:
            return _no_host(host)
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return _no_host(host)
    name = name.lower()
    if len(name) > 253 or not _HOST.fullmatch(name) or ".." in name:
        return _no_host(host)
    if literal_address(name) is None and _NUMERIC.fullmatch(name):
        raise PolicyError(
            f"the host {name} is denied: a number that systems read in different ways",
            fix="write an IPv4 address as four decimal parts",
        )
    return name


def _no_host(host: str) -> str:
    raise InputError(f"{host!r} is not a host name", fix=_FIX)


def _literal(host: str) -> Address | None:
    """The address that `host` is, or, of a name that means the same on every machine, the one that it stands for."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return ip_address("127.0.0.1")
    if name == "metadata.google.internal":
        return ip_address("169.254.169.254")
    return literal_address(host)
