"""Where Redis is, without showing how one gets in: user, password and options never leave this type by accident."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from inference.errors import ConfigError

_SCHEMES = ("redis", "rediss", "unix")


class RedisAddress:
    """The address of a Redis server; `url` is for the client alone, everything else shows the masked form."""

    __slots__ = ("_shown", "url")

    def __init__(self, url: str) -> None:
        """Check an address such as `redis://user:secret@redis.internal:6379/0`.

        Raises:
            ConfigError: not an address of Redis; the message does not repeat it.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ConfigError("redis_url cannot be read; write redis://user:password@host:port/0, signs percent-encoded") from None
        if parts.scheme not in _SCHEMES or not (host or (parts.scheme == "unix" and parts.path)):
            raise ConfigError("redis_url must be redis://host:port/0, rediss://host:port/0 or unix:///path/to/socket")
        self.url = url
        if parts.scheme == "unix":
            self._shown = f"unix://{parts.path}"
        else:
            host = f"[{host}]" if host and ":" in host else host
            self._shown = f"{parts.scheme}://{host}:{6379 if port is None else port}/***"

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"RedisAddress({self._shown})"

    def hide(self, message: str) -> str:
        """Return a message of the client or server without this address's secrets."""
        for secret in _secrets(urlsplit(self.url)):
            message = message.replace(secret, "***")
        return message.replace(self.url, self._shown)


def _secrets(parts: SplitResult) -> list[str]:
    """Return what must not be shown, longest first, as written and as decoded."""
    options = [value for key, value in parse_qsl(parts.query) if "password" in key or "user" in key]
    written = [part for part in (parts.password, parts.username, *options) if part]
    return sorted({*written, *map(unquote, written)}, key=len, reverse=True)
