"""One connection to Redis that sends many commands in one round trip. The only module that knows the client library."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from inference.errors import NotReady
from inference.text.redis_address import RedisAddress
from inference.text.redis_script import command


class RedisLink:
    """A connection that one task uses. It never reconnects by itself: after an error it is closed and opened again."""

    def __init__(self, address: RedisAddress, *, connect_timeout_s: float) -> None:
        self._address = address
        self._connect_timeout_s = connect_timeout_s
        self._connection: AbstractConnection | None = None

    async def open(self, scripts: Sequence[bytes]) -> None:
        """Connect, authenticate and load the scripts.

        Raises:
            NotReady: no connection; says why, without secrets.
        """
        options = {"socket_connect_timeout": self._connect_timeout_s, "retry": Retry(NoBackoff(), 0), "client_name": "livewarden"}
        try:
            pool = ConnectionPool.from_url(self._address.url, **options)  # reads the address and knows the kind of connection
            self._connection = pool.connection_class(**pool.connection_kwargs)
            await self._connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, ValueError) as exc:
            raise self._broken(exc) from None
        for reply in await self.run([command(b"SCRIPT", b"LOAD", source) for source in scripts]):
            if isinstance(reply, NotReady):
                raise reply

    async def run(self, commands: Sequence[bytes]) -> list[object]:
        """Send the commands together and return their answers in order; a command that failed has a `NotReady` in its place.

        Args:
            commands: as `redis_script.command` writes them.

        Raises:
            NotReady: the connection broke. If it is left by a time-out or is cancelled, `close` must follow.
        """
        connection = self._connection
        if connection is None:
            raise NotReady(f"redis at {self._address} is not connected")
        replies: list[object] = []
        try:
            await connection.send_packed_command(commands, check_health=False)
            for _ in commands:
                try:
                    replies.append(await connection.read_response())
                except ResponseError as exc:
                    replies.append(self._broken(exc))
        except (RedisError, OSError) as exc:
            raise self._broken(exc) from None
        return replies

    async def close(self) -> None:
        """Drop the connection, at once and whatever is still to be answered."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    def _broken(self, exc: Exception) -> NotReady:
        return NotReady(f"redis at {self._address}: {type(exc).__name__}: {self._address.hide(str(exc))}")
