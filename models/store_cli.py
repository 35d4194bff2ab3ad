"""What the commands of `livewarden models` share: the store's folder, errors in one line, and the state of a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from models.errors import ModelsError
from models.store import ModelStore, default_root

StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--dir", help="Folder of the store; LIVEWARDEN_MODELS_DIR or ~/.cache/livewarden/models without it.", show_default=False
    ),
]


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """End the program with one line on standard error, and exit code 1, where something could not be done."""
    try:
        yield
    except ModelsError as exc:
        Console(stderr=True, soft_wrap=True).print(f"[red]error:[/] {escape(str(exc))}", highlight=False)
        raise typer.Exit(1) from exc


def open_store(folder: Path | None) -> ModelStore:
    """Open the store in a folder, or where it usually is."""
    return ModelStore(folder.expanduser() if folder is not None else default_root())


def say_state(store: ModelStore, ref: str) -> None:
    """Say what state a model is in."""
    stored = store.show(ref)
    Console(highlight=False).print(f"{stored.ref} is {stored.state}")
