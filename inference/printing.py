"""How commands print: a table for eyes, columns divided by tabs for pipes, JSON for machines, mistakes as one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inference.errors import LivewardenError
from models.errors import ModelsError

Row = Sequence[str | Text]


class Exit(IntEnum):
    """What the shell learns."""

    DONE = 0
    REFUSED = 1
    UNREADABLE = 2


def show_table(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Print a table for eyes, columns divided by tabs for pipes."""
    console = Console()
    if not console.is_terminal:
        for row in (columns, *rows):
            typer.echo("\t".join(map(str, row)))
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console.print(table)


def echo_json(value: Any) -> None:
    """Print one JSON value on a line of its own."""
    typer.echo(msgspec.json.encode(value))


@contextlib.contextmanager
def mistakes_told() -> Iterator[None]:
    """Tell a mistake of the user's on standard error and end the command with exit code 2."""
    try:
        yield
    except (LivewardenError, ModelsError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.UNREADABLE) from None
