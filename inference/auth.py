"""API keys: who may call. Compared in constant time, kept and logged by nobody; off only where nobody else can reach the port.

An ASGI layer, so that HTTP and WebSocket routes are held by the same door.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.errors import ConfigError
from inference.problems import refuse

POLICY_VIOLATION = 1008
"""WebSocket close code of RFC 6455 for a caller without a key."""


def is_loopback(host: str) -> bool:
    """Tell whether a bind address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class ApiKeys:
    """The keys a server accepts, as digests."""

    def __init__(self, keys: Iterable[str], *, host: str) -> None:
        """Take the keys and the bind address.

        Raises:
            ConfigError: no key, and the address is not a loopback one; or a key is empty.
        """
        plain = list(keys)
        if any(not key.strip() for key in plain):
            raise ConfigError("an API key is empty; give it a value or leave it out")
        if not plain and not is_loopback(host):
            raise ConfigError(f"no API key is set and {host!r} can be reached from elsewhere; set api.keys or bind to 127.0.0.1")
        self._digests = [hashlib.sha256(key.encode()).digest() for key in plain]

    def __repr__(self) -> str:
        return f"ApiKeys({len(self._digests)} keys)"

    @property
    def needed(self) -> bool:
        """False where the server is bound to loopback and no key is set."""
        return bool(self._digests)

    def accepts(self, authorization: str | None) -> bool:
        """Tell whether an `Authorization` header carries a key; takes the same time for every wrong one."""
        if not self._digests:
            return True
        scheme, _, key = (authorization or "").partition(" ")
        given = hashlib.sha256(key.strip().encode("utf-8", "surrogatepass")).digest()
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return scheme.lower() == "bearer" and any(matches)


class KeyDoor:
    """ASGI layer that answers 401 to calls of `/v1/` without a key."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, *, prefixes: tuple[str, ...] = ("/v1/",)) -> None:
        self._app = app
        self._keys = keys
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call through, or refuse it."""
        guarded = scope["type"] in ("http", "websocket") and scope["path"].startswith(self._prefixes)
        if not guarded or not self._keys.needed or self._keys.accepts(Headers(scope=scope).get("authorization")):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "api key missing or unknown"})
            return
        refused = refuse(401, "unauthorized", "api key missing or unknown; send 'Authorization: Bearer <key>'").response()
        refused.headers["WWW-Authenticate"] = 'Bearer realm="livewarden"'
        await refused(scope, receive, send)
