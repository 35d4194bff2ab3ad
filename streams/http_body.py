"""Reading media over HTTP with our own hands, so that every hop, redirect and playlist entry meets the deployment's rules.

FFmpeg follows redirects by itself and resolves names by itself; here each hop's host is resolved once, every address checked, and
the connection made to the address that was checked. Deadlines are absolute, so a server that trickles holds nobody.
"""

from __future__ import annotations

import base64
import io
import select
import socket
import ssl
from email.message import Message
from http.client import parse_headers
from urllib.parse import quote, unquote, urljoin, urlsplit

from streams.status import SourceReason, SourceUnavailable
from streams.urls import StreamUrl, UrlPolicy, UrlRefused
from streams.waiting import Waiting

MAX_REDIRECTS = 5
MAX_HEADER_BYTES = 64 * 1024
_READ_AHEAD_BYTES = 32 * 1024
"""Smaller reads (headers, chunk sizes) take this much off the socket at once."""
_SAFE = "%/:=&?~#+!$,;'@()*[]"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REASONS = {
    401: SourceReason.AUTH,
    403: SourceReason.AUTH,
    404: SourceReason.NOT_FOUND,
    410: SourceReason.NOT_FOUND,
}


class HttpBody:
    """The body of one answer, as PyAV reads it: `read`, and for files that the server serves in ranges `seek` and `tell`.

    Reading never raises into FFmpeg: what went wrong is kept in `failure` and the body ends there.
    """

    def __init__(self, url: StreamUrl, policy: UrlPolicy, waiting: Waiting, *, offset: int = 0, end: int | None = None) -> None:
        """Open the address, following redirects.

        Raises:
            SourceUnavailable: with the reason: refused, not_found, auth, tls, timeout, unreachable.
        """
        self._policy, self._waiting = policy, waiting
        self._end = end
        self.failure: SourceUnavailable | None = None
        self._wire, self._url, status, headers = _follow(url, policy, waiting, _range(offset, end))
        self.name = self._url.reveal()
        """The address after redirects, which FFmpeg resolves a playlist's entries against; has secrets in it."""
        self._chunked = "chunked" in (headers.get("transfer-encoding") or "").lower()
        self._left_in_chunk = 0
        length = headers.get("content-length")
        self._left = int(length) if length and length.isdigit() and not self._chunked else None
        self._pos = offset if status == 206 else 0
        self._size = self._pos + self._left if self._left is not None else None
        self._ranges = status == 206 or (headers.get("accept-ranges") or "").lower() == "bytes"
        self._ahead = b""

    def peek(self, n_bytes: int) -> bytes:
        """Return up to that many first bytes without taking them; fewer only where the body ends before."""
        while len(self._ahead) < n_bytes:
            more = self._receive(n_bytes)
            if not more:
                break
            self._ahead += more
        return self._ahead[:n_bytes]

    def read(self, n_bytes: int) -> bytes:
        """Return 1 to n bytes; none at the end, or after a failure."""
        if self._ahead:
            taken, self._ahead = self._ahead[:n_bytes], self._ahead[n_bytes:]
        else:
            taken = self._receive(n_bytes)
        self._pos += len(taken)
        return taken

    def seekable(self) -> bool:
        """Whether the server serves ranges of a body of known size."""
        return self._ranges and self._size is not None

    def tell(self) -> int:
        """Position of the next byte."""
        return self._pos

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position by asking the server for the rest from there; on failure the body ends."""
        size = self._size or 0
        target = offset + {0: 0, 1: self._pos, 2: size}.get(whence, 0)
        if target == self._pos:
            return target
        self.close()
        self._ahead = b""
        self._pos = target
        try:
            self._wire, _, status, _ = _follow(self._url, self._policy, self._waiting, _range(target, self._end))
            if status != 206:
                raise SourceUnavailable(SourceReason.UNREACHABLE, "the server stopped serving ranges")
        except SourceUnavailable as error:
            self.failure = unraised(error)
        self._left = max(0, size - target)
        return target

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _receive(self, n_bytes: int) -> bytes:
        if self.failure is not None or self._left == 0:
            return b""
        try:
            if self._chunked:
                return self._receive_chunked(n_bytes)
            got = self._wire.receive(n_bytes if self._left is None else min(n_bytes, self._left))
        except SourceUnavailable as error:
            self.failure = unraised(error)
            return b""
        if self._left is not None:
            self._left -= len(got)
        return got

    def _receive_chunked(self, n_bytes: int) -> bytes:
        """Take what lies in the buffer of one or more chunks, so that a server of small chunks costs few calls."""
        parts: list[bytes] = []
        n_held = 0
        while n_held < n_bytes and (not parts or self._wire.has_buffered):
            if not self._left_in_chunk:
                size = _chunk_size(self._wire.receive_line())
                if size == 0:
                    self._left = 0
                    break
                self._left_in_chunk = size
            got = self._wire.receive(min(n_bytes - n_held, self._left_in_chunk))
            if not got:
                break
            parts.append(got)
            n_held += len(got)
            self._left_in_chunk -= len(got)
            if not self._left_in_chunk:
                self._wire.receive_line()
        return b"".join(parts)


class EmptyBody:
    """Stands for a playlist entry that could not be opened: ends at once, so that the playlist's other entries go on."""

    name = ""

    def read(self, n_bytes: int) -> bytes:
        """Return nothing: the end."""
        return b""

    def close(self) -> None:
        """Nothing to close."""


class _Wire:
    """A connected socket with a read buffer and the room's patience."""

    def __init__(self, sock: socket.socket, waiting: Waiting) -> None:
        self._sock, self._waiting = sock, waiting
        self._buffer = b""
        self._is_drained = False
        """Whether the last read took all there was, so that a nap may come before the next."""
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    @property
    def has_buffered(self) -> bool:
        return bool(self._buffer)

    def receive(self, n_bytes: int) -> bytes:
        """Return 1 to n bytes, none at the end of the connection."""
        if not self._buffer:
            if n_bytes >= _READ_AHEAD_BYTES:
                return self._receive(n_bytes)
            self._buffer = self._receive(_READ_AHEAD_BYTES)
        taken, self._buffer = self._buffer[:n_bytes], self._buffer[n_bytes:]
        return taken

    def receive_line(self) -> bytes:
        """Return one line without its end; an empty one at the end of the connection."""
        return self.receive_until(b"\n").rstrip(b"\r\n")

    def receive_until(self, mark: bytes) -> bytes:
        """Return everything up to and with the mark."""
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                raise SourceUnavailable(SourceReason.CORRUPT, f"the server's headers are longer than {MAX_HEADER_BYTES} bytes")
            more = self._receive(64 * 1024)
            if not more:
                rest, self._buffer = self._buffer, b""
                return rest
            self._buffer += more
        at += len(mark)
        taken, self._buffer = self._buffer[:at], self._buffer[at:]
        return taken

    def _receive(self, n_bytes: int) -> bytes:
        self._waiting.check()
        if self._is_drained:
            self._waiting.rest()
        while True:
            try:
                got = self._sock.recv(n_bytes)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._waiting.until_readable(self._poll)
            except ssl.SSLError as error:
                raise SourceUnavailable(SourceReason.TLS, f"tls: {getattr(error, 'reason', None)}") from None
            except OSError as error:
                raise SourceUnavailable(SourceReason.UNREACHABLE, f"connection lost: {error.strerror}") from None
            else:
                # a tls record is shorter than what was asked for while others wait behind it
                self._is_drained = len(got) < n_bytes and not isinstance(self._sock, ssl.SSLSocket)
                return got

    def close(self) -> None:
        self._sock.close()


def unraised(error: SourceUnavailable) -> SourceUnavailable:
    """Copy an error that is to be kept.

    One that was raised holds every frame it came through, and these hold the room's packets and decoders. Kept by what they read
    from, it closes a circle that only the garbage collector breaks, and that counts a decoder's megabytes as a few objects.
    """
    return SourceUnavailable(error.reason, str(error))


def _chunk_size(line: bytes) -> int:
    """Read a chunk's size; an empty line, the end of the connection, is 0.

    Raises:
        SourceUnavailable: CORRUPT when it is no size.
    """
    digits = line.partition(b";")[0].strip().decode("latin-1")
    if len(digits) > 16 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        raise SourceUnavailable(SourceReason.CORRUPT, "the server's chunks have no size")
    return int(digits or "0", 16)


def _range(offset: int, end: int | None) -> str:
    return f"bytes={offset}-{'' if end is None else end - 1}" if offset or end is not None else ""


def _follow(url: StreamUrl, policy: UrlPolicy, waiting: Waiting, byte_range: str) -> tuple[_Wire, StreamUrl, int, Message]:
    """Open an address and follow its redirects, each hop checked like the first."""
    for _ in range(MAX_REDIRECTS + 1):
        wire = _connect(url, policy, waiting)
        try:
            wire_status, headers = _request(wire, url, byte_range)
            if wire_status in (200, 206):
                return wire, url, wire_status, headers
            if wire_status not in _REDIRECTS:
                reason = _REASONS.get(wire_status, SourceReason.UNREACHABLE)
                raise SourceUnavailable(reason, f"{url} answered {wire_status}")
        except BaseException:
            wire.close()
            raise
        wire.close()
        url = _redirected(url, headers.get("location") or "", policy)
    raise SourceUnavailable(SourceReason.UNREACHABLE, f"more than {MAX_REDIRECTS} redirects")


def _redirected(url: StreamUrl, location: str, policy: UrlPolicy) -> StreamUrl:
    try:
        target = StreamUrl.parse(
            urljoin(url.reveal(), location), UrlPolicy(policy.allowed_hosts, policy.allow_private, policy.allow_loopback)
        )
    except UrlRefused as error:
        raise SourceUnavailable(SourceReason.REFUSED, f"{url} leads to an address that is refused: {error}") from None
    if target.scheme not in ("http", "https"):
        raise SourceUnavailable(SourceReason.REFUSED, f"{url} leads to scheme {target.scheme}; only http and https are followed")
    return target


def checked_addresses(url: StreamUrl, policy: UrlPolicy) -> list[str]:
    """Resolve a source's host and check where it points.

    Raises:
        SourceUnavailable: REFUSED by the policy, or UNREACHABLE because the name is unknown.
    """
    try:
        return list(policy.addresses(url.host, url.port))
    except UrlRefused as error:
        raise SourceUnavailable(SourceReason.REFUSED, str(error)) from None
    except (OSError, UnicodeError):
        raise SourceUnavailable(SourceReason.UNREACHABLE, f"host {url.host} cannot be resolved") from None


def _connect(url: StreamUrl, policy: UrlPolicy, waiting: Waiting) -> _Wire:
    problem = (SourceReason.UNREACHABLE, f"{url} cannot be reached")  # no exception: a frame that keeps what it raises keeps itself
    for address in checked_addresses(url, policy):
        waiting.check()
        try:
            sock = socket.create_connection((address, url.port), timeout=max(0.05, waiting.left_s))
        except TimeoutError:
            problem = (SourceReason.TIMEOUT, f"{url} did not take the connection in time")
            continue
        except OSError as error:
            problem = (SourceReason.UNREACHABLE, f"{url} cannot be reached: {error.strerror}")
            continue
        try:
            return _Wire(_secured(sock, url, waiting) if url.scheme == "https" else _unblocked(sock), waiting)
        except ssl.SSLError as error:
            problem = (SourceReason.TLS, f"{url}: {getattr(error, 'reason', None) or 'handshake failed'}")
        except OSError:
            problem = (SourceReason.TLS, f"{url}: the handshake was not finished")
        sock.close()
    raise SourceUnavailable(*problem)


def _secured(sock: socket.socket, url: StreamUrl, waiting: Waiting) -> socket.socket:
    sock.settimeout(max(0.05, waiting.left_s))
    return _unblocked(ssl.create_default_context().wrap_socket(sock, server_hostname=url.host))


def _unblocked(sock: socket.socket) -> socket.socket:
    sock.setblocking(False)
    return sock


def _request(wire: _Wire, url: StreamUrl, byte_range: str) -> tuple[int, Message]:
    parts = urlsplit(url.reveal())
    target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2].encode("idna").decode() if not url.host.isascii() else parts.netloc.rpartition("@")[2]
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "User-Agent: Livewarden", "Accept: */*", "Connection: close"]
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append("Authorization: Basic " + base64.b64encode(pair.encode()).decode())
    if byte_range:
        lines.append(f"Range: {byte_range}")
    try:
        wire._sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    except OSError as error:
        raise SourceUnavailable(SourceReason.UNREACHABLE, f"{url} closed the connection: {error.strerror}") from None
    head = wire.receive_until(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    words = first.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise SourceUnavailable(SourceReason.CORRUPT, f"{url} did not answer in HTTP")
    return int(words[1]), parse_headers(io.BytesIO(rest))
