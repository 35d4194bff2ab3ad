"""Addresses that rooms are pulled from: parsed once, checked against what the deployment allows, never shown with their secrets.

Stream keys sit in the path and the query, so a masked address shows scheme, host and port and nothing else.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import SplitResult, urlsplit

from inference.errors import InvalidSample

NETWORK_SCHEMES = frozenset({"rtmp", "rtmps", "http", "https", "rtsp", "rtsps"})
"""Schemes a room may be pulled over."""
DEFAULT_PORTS = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
MAX_URL_CHARS = 4096

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to the textual addresses it stands for; raises OSError when the name is unknown."""


class UrlRefused(InvalidSample):
    """Raised when an address may not be opened: scheme, host, or the network it points into."""

    title = "address refused"


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the machine's resolver for a host's addresses.

    Raises:
        OSError: the name is unknown, or the resolver cannot be reached.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """What a deployment lets its rooms be pulled from."""

    allowed_hosts: tuple[str, ...] = ("*",)
    """Patterns a host must match, e.g. `*.live.example.com`; case does not matter."""
    allow_private: bool = False
    """Whether private addresses (10.0.0.0/8, ...) may be opened; implies loopback."""
    allow_loopback: bool = False
    """Whether this machine's own addresses may be opened."""
    allow_files: bool = False
    """Whether a local path may be named; only where the operator does, as in `livewarden scan`."""

    def admits_host(self, host: str) -> bool:
        """Tell whether the host's name is on the allow-list."""
        return any(fnmatchcase(host.lower().rstrip("."), pattern.lower()) for pattern in self.allowed_hosts)

    def check_address(self, text: str) -> None:
        """Refuse a network address that must not be reached.

        Raises:
            UrlRefused: link-local and cloud metadata always; private and loopback unless allowed; multicast and unspecified always.
        """
        address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        if address.is_loopback:
            if not (self.allow_loopback or self.allow_private):
                raise UrlRefused(f"address {address} is this machine itself; allow_private would permit it")
        elif address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA:
            raise UrlRefused(f"address {address} is link-local, multicast or a metadata service; it is never opened")
        elif not address.is_global and not self.allow_private:
            raise UrlRefused(f"address {address} is not public; allow_private would permit it")

    def addresses(self, host: str, port: int, *, resolver: Resolver = resolve) -> Sequence[str]:
        """Resolve a host and check every address it stands for, so that no name can point inside.

        Raises:
            UrlRefused: the host is not on the list, or one of its addresses is not allowed.
            OSError: the name is unknown.
        """
        if not self.admits_host(host):
            raise UrlRefused(f"host {host} is not among the allowed hosts {', '.join(self.allowed_hosts)}")
        found = resolver(host, port)
        for address in found:
            self.check_address(address)
        return found


_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
"""Metadata services of clouds outside the link-local range."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _plain(address: IpAddress) -> IpAddress:
    """Unwrap an IPv4 address carried in an IPv6 one, so that `::ffff:127.0.0.1` is seen for what it is."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


@dataclass(frozen=True, slots=True, repr=False)
class StreamUrl:
    """One address that may be opened; shows itself without user, path or query."""

    _text: str
    scheme: str
    """Lower case: `rtmp`, `https`, `file`, ..."""
    host: str
    """Lower case, without brackets; empty for a file."""
    port: int
    """0 for a file."""

    @classmethod
    def parse(cls, text: str, policy: UrlPolicy) -> StreamUrl:
        """Read an address and check what can be checked without asking the network.

        Raises:
            UrlRefused: not an address, a scheme or host that is not allowed, or a literal address that is not.
        """
        if not text or len(text) > MAX_URL_CHARS or any(ord(char) <= 32 or ord(char) == 127 for char in text.strip(" ")):
            return cls._parse_path(text, policy)
        parts = _split(text)
        scheme = parts.scheme.lower()
        if scheme not in NETWORK_SCHEMES:
            return cls._parse_path(text, policy)
        host, port = _host_and_port(parts, scheme)
        if not policy.admits_host(host):
            raise UrlRefused(f"host {host} is not among the allowed hosts {', '.join(policy.allowed_hosts)}")
        if _is_literal(host):
            policy.check_address(host)
        return cls(text, scheme, host, port)

    @classmethod
    def _parse_path(cls, text: str, policy: UrlPolicy) -> StreamUrl:
        scheme = text.partition(":")[0].lower() if "://" in text or text.startswith("file:") else "file"
        if not text or "\0" in text or len(text) > MAX_URL_CHARS:
            raise UrlRefused(f"an address has 1 to {MAX_URL_CHARS} characters and no NUL, got {len(text)}")
        if not policy.allow_files or scheme != "file":
            allowed = ", ".join(sorted(NETWORK_SCHEMES | ({"file"} if policy.allow_files else set())))
            raise UrlRefused(f"scheme {_shown_scheme(text)} is not allowed; allowed: {allowed}")
        path = text.removeprefix("file://").removeprefix("file:")
        return cls(path, "file", "", 0)

    @property
    def is_file(self) -> bool:
        """Whether this is a local path."""
        return self.scheme == "file"

    @property
    def masked(self) -> str:
        """Scheme, host and port: what a log or a status may show."""
        if self.is_file:
            return f"file:{self._text}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}/***"

    def reveal(self) -> str:
        """The address with its secrets, for the one call that opens it."""
        return self._text

    def __repr__(self) -> str:
        return f"StreamUrl({self.masked})"

    def __str__(self) -> str:
        return self.masked


def _shown_scheme(text: str) -> str:
    scheme, separator, _ = text.partition(":")
    return repr(scheme[:20]) if separator and scheme.isascii() and scheme.replace("+", "").isalnum() else "(none)"


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise UrlRefused("the address cannot be read; is a bracket of an IPv6 address missing?") from None


def _host_and_port(parts: SplitResult, scheme: str) -> tuple[str, int]:
    try:
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[scheme]
    except ValueError:
        raise UrlRefused(f"the port of a {scheme} address must be 1..65535") from None
    if not host or "\\" in parts.netloc:
        raise UrlRefused(f"a {scheme} address must name a host")
    return host.lower(), port


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
