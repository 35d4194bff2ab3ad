"""`livewarden models`: the store and the zoo from the command line; training is `training_cli.py`.

Exit codes: 0 done, 1 it could not be done (one line on standard error says why), 2 the command was written wrongly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.errors import LicenceNotAccepted
from models.progress_bar import progress_bar
from models.store import Stored
from models.store_cli import StoreFolder, one_line_errors, open_store, say_state
from models.training_cli import evaluate_network, export_network, train_network
from models.zoo import ACCEPTED_BY_DEFAULT, Zoo, ZooEntry

models_app = typer.Typer(name="models", help="The model store and its life cycle.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON on standard output and nothing else.")]


@models_app.command("list")
def list_models(folder: StoreFolder = None, as_json: AsJson = False) -> None:
    """List the models of the store, and those of the zoo that are not there yet."""
    with one_line_errors():
        store = open_store(folder)
        stored = store.list()
        missing = [Zoo.load()[name] for name in Zoo.load().missing(store)]
        rows = [_brief(one) for one in stored]
        absent = [_brief_entry(entry) for entry in missing]
    if as_json:
        typer.echo(json.dumps({"store": str(store.root), "models": rows, "not_pulled": absent}, ensure_ascii=False))
        return
    table = Table(title=f"Models in {store.root}", title_justify="left")
    for column in ("model", "state", "task", "licence", "labels"):
        table.add_column(column, no_wrap=column == "model")
    for row in rows:
        state = "[green]live[/]" if row["state"] == "live" else row["state"]
        table.add_row(row["ref"], state, row["task"], row["licence"], ", ".join(row["labels"]))
    for row in absent:
        table.add_row(row["ref"], "[yellow]not pulled[/]", row["task"], row["licence"], ", ".join(row["labels"]))
    Console().print(table)


@models_app.command("show")
def show_model(
    ref: Annotated[str, typer.Argument(help="name@version, or name for the live one.")],
    folder: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Show everything about one model: tensors, classes, thresholds, metrics, licence; its files are checked."""
    with one_line_errors():
        store = open_store(folder)
        stored = store.show(ref)
        store.path(stored.ref)
        tested = store.metrics(stored.ref)
    manifest = stored.manifest
    if as_json:
        full = {
            **_brief(stored),
            "path": str(stored.onnx_path),
            "sha256": manifest.sha256,
            "notice": manifest.licence.notice,
            "source": manifest.provenance.source,
            "metrics": {**manifest.metrics, **tested},
            "classes": [{"name": row.name, "label": row.label, "threshold": row.threshold} for row in manifest.classes],
            "notes": manifest.notes,
        }
        typer.echo(json.dumps(full, ensure_ascii=False))
        return
    console = Console(highlight=False)
    for title, value in _facts(stored):
        console.print(f"[bold]{title:<9}[/] {escape(value)}")
    for title, numbers in (("metrics", manifest.metrics), ("tested", tested)):
        for name, number in numbers.items():
            console.print(f"[bold]{title:<9}[/] {name} = {number:g}")
    for row in manifest.classes:
        if row.label is not None:
            console.print(f"[bold]{'class':<9}[/] {row.name} → {row.label} from {row.threshold:g} (raw {row.raw_threshold:g})")


@models_app.command("pull")
def pull_models(
    names: Annotated[list[str] | None, typer.Argument(help="Entries of the zoo, e.g. ppocr-det.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every entry of the zoo.")] = False,
    accept: Annotated[list[str] | None, typer.Option(help="A licence you accept, e.g. AGPL-3.0-only; may be repeated.")] = None,
    mirror: Annotated[Path | None, typer.Option(help="Folder with the wheels or ONNX files, instead of the network.")] = None,
    folder: StoreFolder = None,
) -> None:
    """Pull public models, pinned by sha256, and make them live; prints each licence first."""
    zoo = Zoo.load()
    console = Console(highlight=False)
    if everything == bool(names):
        raise typer.BadParameter(f"name entries of the zoo, or --all; known: {', '.join(zoo.entries)}")
    wanted = list(zoo.entries) if everything else list(names or [])
    accepted = {*ACCEPTED_BY_DEFAULT, *(accept or [])}
    refused = 0
    with one_line_errors():
        store = open_store(folder)
        for name in wanted:
            licence = zoo[name].licence
            console.print(f"[bold]{name}[/] licence [bold]{escape(licence.spdx)}[/]: {escape(licence.notice)}")
            try:
                with progress_bar(console) as bar:
                    ref = zoo.pull(name, store, accept_licences=accepted, mirror_dir=mirror, progress=bar.told)
            except LicenceNotAccepted as exc:
                # With --all the others still come; the exit code says that not everything did.
                Console(stderr=True, soft_wrap=True).print(f"[yellow]not pulled:[/] {escape(str(exc))}", highlight=False)
                refused += 1
                continue
            console.print(f"[green]live[/] {ref} in {escape(str(store.root))}")
    if refused:
        raise typer.Exit(1)


@models_app.command("add")
def add_model(
    source: Annotated[Path, typer.Argument(help="Folder with manifest.yaml and the files it names.", metavar="FOLDER")],
    folder: StoreFolder = None,
) -> None:
    """Take a model of your own into the store, as a draft; it serves after `approve` and `promote`."""
    with one_line_errors():
        store = open_store(folder)
        say_state(store, store.publish(source.expanduser()))


@models_app.command("approve")
def approve_model(
    ref: Annotated[str, typer.Argument(help="name@version.")],
    untested: Annotated[bool, typer.Option("--untested", help="Approve a draft that was never evaluated.")] = False,
    folder: StoreFolder = None,
) -> None:
    """Let a tested version serve; it goes live with `promote`."""
    with one_line_errors():
        store = open_store(folder)
        store.approve(ref, untested=untested)
        say_state(store, ref)


@models_app.command("promote")
def promote_model(ref: Annotated[str, typer.Argument(help="name@version.")], folder: StoreFolder = None) -> None:
    """Make an approved version the live one; what serves takes it at its next start."""
    with one_line_errors():
        store = open_store(folder)
        store.promote(ref)
        say_state(store, ref)


@models_app.command("rollback")
def rollback_model(name: Annotated[str, typer.Argument(help="Name of the model.")], folder: StoreFolder = None) -> None:
    """Make the version that was live before the live one again."""
    with one_line_errors():
        store = open_store(folder)
        say_state(store, store.rollback(name))


def _brief(stored: Stored) -> dict[str, Any]:
    manifest = stored.manifest
    return {
        "ref": stored.ref,
        "state": stored.state.value,
        "task": manifest.task,
        "licence": manifest.licence.spdx,
        "labels": sorted(manifest.labels),
    }


def _brief_entry(entry: ZooEntry) -> dict[str, Any]:
    manifest = entry.manifest
    return {
        "ref": manifest.ref,
        "task": manifest.task,
        "licence": manifest.licence.spdx,
        "labels": sorted(manifest.labels),
        "summary": entry.summary,
    }


def _facts(stored: Stored) -> list[tuple[str, str]]:
    manifest = stored.manifest
    tensors = [("input", row) for row in manifest.inputs] + [("output", row) for row in manifest.outputs]
    return [
        ("model", f"{stored.ref} ({stored.state})"),
        ("task", manifest.task),
        ("file", f"{stored.onnx_path}"),
        ("sha256", manifest.sha256),
        ("licence", f"{manifest.licence.spdx}: {manifest.licence.notice}"),
        ("source", manifest.provenance.source),
        *((title, f"{row.name} {row.dtype} {['?' if size is None else size for size in row.shape]}") for title, row in tensors),
        ("notes", manifest.notes),
    ]


models_app.command("train")(train_network)
models_app.command("evaluate")(evaluate_network)
models_app.command("export")(export_network)
