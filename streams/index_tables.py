"""Tables of the violation index, and the database they lie in: SQLite in the data folder, or any address that SQLAlchemy knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from inference.errors import ConfigError

BUSY_TIMEOUT_S = 5.0

metadata = MetaData()

violations = Table(
    "violations",
    metadata,
    Column("violation_id", String(64), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("room_id", String(512), nullable=False),
    Column("session_id", String(512), nullable=False),
    Column("biz", String(512), nullable=False),
    Column("label", String(64), nullable=False),
    Column("decision", String(16), nullable=False),
    Column("severity", Integer, nullable=False),
    Column("opened_s", Float, nullable=False, comment="wall clock of its first alert, seconds since 1970"),
    Column("data", LargeBinary, nullable=False, comment="JSON of its latest alert"),
    Column("media", LargeBinary, nullable=False, comment="JSON list of every file that ever showed it"),
    Column("review", String(16)),
    Column("review_label", String(64)),
    Index("violations_by_time", "opened_s", "violation_id"),
    Index("violations_by_room", "room_id", "opened_s"),
    Index("violations_by_label", "label", "opened_s"),
    Index("violations_by_state", "state", "opened_s"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("ce_id", String(128), primary_key=True),
    Column("violation_id", String(64), nullable=False, index=True),
    Column("seq", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

reviews = Table(
    "reviews",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("review_id", String(128), nullable=False, unique=True),
    Column("violation_id", String(64), nullable=False, index=True),
    Column("action", String(16), nullable=False),
    Column("label", String(64)),
    Column("reviewer", String(512)),
    Column("note", String(4096)),
    Column("at_s", Float, nullable=False, comment="wall clock, seconds since 1970"),
)

positions = Table(
    "positions",
    metadata,
    Column("name", String(512), primary_key=True),
    Column("seq", Integer, nullable=False, comment="last outbox row that was taken in"),
)


def open_database(address: str) -> Engine:
    """Connect and make the tables that are not there.

    Raises:
        ConfigError: the address cannot be used; passwords in it are not shown.
    """
    try:
        url = make_url(address)
        shown = url.render_as_string(hide_password=True)
        options: dict[str, Any] = {}
        is_sqlite = url.get_backend_name() == "sqlite"
        if is_sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
            if url.database in (None, "", ":memory:"):
                options["poolclass"] = StaticPool
            else:
                Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        else:
            options["pool_pre_ping"] = True
        engine = create_engine(url, **options)
    except (ArgumentError, NoSuchModuleError, ImportError, OSError) as exc:
        raise ConfigError(f"index_url cannot be used: {type(exc).__name__}: {_without_address(exc, address)}") from None
    if is_sqlite:
        event.listen(engine, "connect", _tune)
        event.listen(engine, "begin", _begin)
    try:
        metadata.create_all(engine)
    except SQLAlchemyError as exc:
        engine.dispose()
        raise ConfigError(f"index_url {shown} cannot be used: {exc.__cause__ or type(exc).__name__}") from None
    return engine


def _tune(connection: Any, _: object) -> None:
    """WAL lets the console read while the worker writes; NORMAL is enough, the outbox is what must not be lost."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    """Take the write lock at once: a reading transaction that becomes a writing one fails instead of waiting."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _without_address(error: Exception, address: str) -> str:
    return str(error).replace(address, "***")
