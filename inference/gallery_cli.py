"""The commands `livewarden gallery add | list | show | remove | rollback`.

Clips are read by who composes the command line: it hands a reader of clips in as the context's `obj`.
Exit codes: 0 done, 2 a picture or an option cannot be used, or there is no such entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from inference.clock import SystemClock
from inference.errors import InvalidSample
from inference.gallery_networks import gallery_desk
from inference.pictures import MAX_PICTURE_BYTES
from inference.printing import echo_json, mistakes_told, show_table
from inference.samples import Pixels
from inference.settings import InferenceSettings
from inference.vision.gallery_book import GalleryStore, Title, gallery_store
from inference.vision.gallery_desk import Lesson, TitleOrder, read_picture

gallery_app = typer.Typer(
    no_args_is_help=True,
    help="Banned games, scenes and known pictures: taught from screenshots or a clip, found live.",
)

CLIP_SUFFIXES = frozenset({".mp4", ".webm", ".mkv", ".mov", ".flv", ".ts", ".avi"})
COLUMNS = ("entry", "label", "title", "pictures", "against", "aliases", "in effect", "enrolled")

ReadClip = Callable[[Path], Iterable[Pixels]]

Config = Annotated[Path | None, typer.Option("--config", "-c", help="livewarden.yaml with data_dir and models.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON value.")]
Name = Annotated[str, typer.Argument(help="Name of the entry: lower-case letters, digits, -, _ and .")]


@gallery_app.command()
def add(
    context: typer.Context,
    name: Name,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Screenshots (JPEG, PNG, WebP), folders of them, clips.")],
    label: Annotated[str, typer.Option(help="Code of the taxonomy, e.g. banned_game.regulated.")],
    title: Annotated[str, typer.Option(help="How people call it; the name by default.")] = "",
    not_: Annotated[
        list[Path] | None, typer.Option("--not", help="A picture, folder or clip that looks like it and is not; repeatable.")
    ] = None,
    alias: Annotated[list[str] | None, typer.Option(help="Another name, looked for on the screen and in room titles.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Look for these very pictures only, not for their like.")] = False,
    from_: Annotated[str, typer.Option("--from", help="In effect from this moment, ISO 8601; a date is midnight UTC.")] = "",
    until: Annotated[str, typer.Option(help="In effect until this moment.")] = "",
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Teach a title from about 10 screenshots or a clip; every worker looks for it within seconds. Says what is weak about them."""
    with mistakes_told():
        read_clip: ReadClip | None = context.obj
        order = TitleOrder(
            label=label,
            title=title,
            aliases=tuple(alias or ()),
            exact=exact,
            starts_at=read_moment(from_),
            ends_at=read_moment(until),
            owner=owner,
        )
        settings = InferenceSettings.load(config)
        desk = gallery_desk(settings.models.dir, settings.shared, SystemClock())
        lesson = Lesson(read_files(files, read_clip), read_files(not_ or [], read_clip))
        learnt = desk.teach(name, lesson, order)
        if as_json:
            echo_json(title_view(learnt.title) | {"notes": learnt.notes})
            return
        for note in learnt.notes:
            typer.echo(f"note: {note}")
        typer.echo(f"{learnt.title.ref} is in force with {len(learnt.title.entry.pictures)} pictures, in {learnt.title.folder}")


@gallery_app.command("list")
def list_titles(as_json: AsJson = False, config: Config = None) -> None:
    """List what is looked for."""
    with mistakes_told():
        store = _store(config)
        titles = store.live()
        if as_json:
            echo_json([title_view(title) for title in titles])
        elif titles:
            show_table(COLUMNS, [_row(title) for title in titles])
        else:
            typer.echo(f"nothing in {store.root}; teach a title with `livewarden gallery add NAME --label L FILE...`")


@gallery_app.command()
def show(name: Name, as_json: AsJson = False, config: Config = None) -> None:
    """Describe an entry and its versions."""
    with mistakes_told():
        versions = _store(config).versions(name)
        if as_json:
            echo_json([title_view(title) for title in versions])
            return
        show_table(("state", *COLUMNS), [("live" if title.is_live else "", *_row(title)) for title in versions])
        for title in versions:
            if title.is_live:
                typer.echo(f"pictures: {title.folder}")


@gallery_app.command()
def remove(name: Name, config: Config = None) -> None:
    """Stop looking for an entry. Its versions stay for a while: `rollback` brings it back."""
    with mistakes_told():
        title = _store(config).remove(name)
        typer.echo(f"{title.ref} is out of force; `livewarden gallery rollback {name} {title.version}` brings it back")


@gallery_app.command()
def rollback(name: Name, version: Annotated[int, typer.Argument(help="Version to put in force.")], config: Config = None) -> None:
    """Put another version in force; brings a removed entry back too."""
    with mistakes_told():
        typer.echo(f"{_store(config).rollback(name, version).ref} is in force")


def title_view(title: Title) -> dict[str, Any]:
    """Describe an entry for machines."""
    entry = title.entry
    return {
        "name": title.name,
        "version": title.version,
        "live": title.is_live,
        "label": entry.label,
        "title": entry.title,
        "aliases": entry.aliases,
        "exact": entry.exact,
        "n_pictures": len(entry.pictures),
        "n_against": len(entry.against),
        "starts_at": entry.starts_at,
        "ends_at": entry.ends_at,
        "owner": entry.owner,
        "enrolled_at": entry.enrolled_at,
    }


def read_moment(text: str) -> datetime | None:
    """Read a moment; one without a zone is UTC, none at all is None.

    Raises:
        InvalidSample: it is no moment.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidSample(f"moment {text!r}; write it as 2026-12-01 or 2026-12-01T20:00:00+08:00") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def read_files(paths: Iterable[Path], read_clip: ReadClip | None) -> Iterator[Pixels]:
    """Give the pictures of files, folders and clips, in their order.

    Raises:
        InvalidSample: one cannot be read, or cannot be used; says which.
    """
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
            if not inside:
                raise InvalidSample(f"{path} is an empty folder; give a folder with screenshots")
            yield from read_files(inside, read_clip)
        elif path.suffix.lower() in CLIP_SUFFIXES:
            if read_clip is None:
                raise InvalidSample(f"clips cannot be read here; give screenshots instead of {path}")
            yield from read_clip(path)
        else:
            yield _read_picture(path)


def _read_picture(path: Path) -> Pixels:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise InvalidSample(f"cannot read {path}: {error.strerror}; give the path of a picture") from error
    try:
        return read_picture(data)
    except InvalidSample as error:
        raise type(error)(f"{path}: {error}") from error


def _row(title: Title) -> tuple[str, ...]:
    entry = title.entry
    bounds = [f"{word} {moment:%Y-%m-%d %H:%M}" for word, moment in (("from", entry.starts_at), ("until", entry.ends_at)) if moment]
    return (
        title.ref,
        entry.label,
        entry.title,
        f"{len(entry.pictures)}{' exact' if entry.exact else ''}",
        str(len(entry.against)) if entry.against else "",
        ", ".join(entry.aliases),
        " ".join(bounds) or "always",
        f"{entry.enrolled_at:%Y-%m-%d %H:%M}",
    )


def _store(config: Path | None) -> GalleryStore:
    return gallery_store(InferenceSettings.load(config).shared)
