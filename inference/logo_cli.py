"""The commands `livewarden logos add | check | list | show | remove | rollback`.

Exit codes: 0 done, 2 a picture or an option cannot be used, or there is no such logo.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from inference.clock import SystemClock
from inference.enrolment import Enrolled
from inference.errors import InvalidSample
from inference.logo_networks import logo_desk
from inference.pictures import MAX_PICTURE_BYTES
from inference.printing import echo_json, mistakes_told, show_table
from inference.settings import InferenceSettings
from inference.vision.logo_book import LogoEntry, LogoStore, logo_store
from inference.vision.logo_desk import PREVIEW, Examined, LogoDesk, LogoOrder

logos_app = typer.Typer(
    no_args_is_help=True, help="Logos and watermarks that are looked for in every room: enrol one picture, find it live."
)

COLUMNS = ("logo", "label", "title", "pictures", "least area", "zones", "words", "enrolled")

Config = Annotated[Path | None, typer.Option("--config", "-c", help="livewarden.yaml with data_dir and models.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON value.")]
Name = Annotated[str, typer.Argument(help="Name of the logo.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="PNG, WebP or JPEG; several are variants of one logo.")]
NameOption = Annotated[str | None, typer.Option("--name", "-n", help="Name of the logo; the first file's by default.")]


@logos_app.command()
def add(
    files: Files,
    name: NameOption = None,
    label: Annotated[str, typer.Option(help="Code of the taxonomy that a violation gets.")] = "competitor.logo",
    title: Annotated[str, typer.Option(help="How people call it; the name by default.")] = "",
    min_area: Annotated[float, typer.Option(help="Smaller ones than this share of the frame do not count.")] = 0.0,
    zone: Annotated[
        list[str] | None, typer.Option("--zone", help="Where it counts: top-right, or x,y,width,height in fractions.")
    ] = None,
    words: Annotated[
        list[str] | None, typer.Option("--words", help="What it says: read on the screen, that counts as well. Several times.")
    ] = None,
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Enrol although it is like another one.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Enrol a logo; every worker looks for it within seconds. Says what is weak about its pictures, and where the preview lies."""
    with mistakes_told():
        zones, said = tuple(zone or ()), tuple(words or ())
        order = LogoOrder(label=label, title=title, min_area=min_area, zones=zones, words=said, owner=owner, force=force)
        logo, examined = _desk(config).enrol(name or _name_of(files[0]), _read(files), order)
        if as_json:
            echo_json(logo_view(logo) | {"notes": examined.notes})
            return
        _tell(examined)
        typer.echo(f"{logo.ref} is in force; preview: {logo.folder / PREVIEW}")


@logos_app.command()
def check(
    files: Files,
    name: NameOption = None,
    preview: Annotated[Path | None, typer.Option(help="Write what would be looked for to this PNG file.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Examine a logo's pictures without enrolling them."""
    with mistakes_told():
        examined = _desk(config).examine(name or _name_of(files[0]), _read(files))
        if preview is not None:
            preview.write_bytes(examined.preview)
        if as_json:
            echo_json({"alike": [{"name": one.name, "cosine": one.cosine} for one in examined.alike], "notes": examined.notes})
            return
        _tell(examined)
        typer.echo("fit to be enrolled")


@logos_app.command("list")
def list_logos(as_json: AsJson = False, config: Config = None) -> None:
    """List the logos that are looked for."""
    with mistakes_told():
        store = _store(config)
        logos = store.live()
        if as_json:
            echo_json([logo_view(logo) for logo in logos])
        elif logos:
            show_table(COLUMNS, [_row(logo) for logo in logos])
        else:
            typer.echo(f"no logos in {store.root}; enrol one with `livewarden logos add FILE.png`")


@logos_app.command()
def show(name: Name, as_json: AsJson = False, config: Config = None) -> None:
    """Describe a logo and its versions."""
    with mistakes_told():
        versions = _store(config).versions(name)
        if as_json:
            echo_json([logo_view(logo) for logo in versions])
            return
        show_table(("state", *COLUMNS), [("live" if logo.is_live else "", *_row(logo)) for logo in versions])
        for logo in versions:
            if logo.is_live:
                typer.echo(f"preview: {logo.folder / PREVIEW}")


@logos_app.command()
def remove(name: Name, config: Config = None) -> None:
    """Stop looking for a logo. Its versions stay for a while: `rollback` brings it back."""
    with mistakes_told():
        logo = _store(config).remove(name)
        typer.echo(f"{logo.ref} is out of force; `livewarden logos rollback {name} {logo.version}` brings it back")


@logos_app.command()
def rollback(name: Name, version: Annotated[int, typer.Argument(help="Version to put in force.")], config: Config = None) -> None:
    """Put another version of a logo in force; brings a removed one back too."""
    with mistakes_told():
        typer.echo(f"{_store(config).rollback(name, version).ref} is in force")


def logo_view(logo: Enrolled[LogoEntry]) -> dict[str, Any]:
    """Describe a logo for machines."""
    entry = logo.entry
    return {
        "name": logo.name,
        "version": logo.version,
        "live": logo.is_live,
        "label": entry.label,
        "title": entry.title,
        "n_pictures": len(entry.pictures),
        "min_area": entry.min_area,
        "zones": entry.zones,
        "words": entry.words,
        "owner": entry.owner,
        "enrolled_at": entry.enrolled_at,
    }


def _row(logo: Enrolled[LogoEntry]) -> tuple[str, ...]:
    entry = logo.entry
    zones = "; ".join(",".join(f"{side:g}" for side in zone) for zone in entry.zones) or "everywhere"
    area = f"{entry.min_area:.2%}" if entry.min_area else ""
    words, enrolled = "; ".join(entry.words), f"{entry.enrolled_at:%Y-%m-%d %H:%M}"
    return (logo.ref, entry.label, entry.title, str(len(entry.pictures)), area, zones, words, enrolled)


def _tell(examined: Examined) -> None:
    for note in examined.notes:
        typer.echo(f"note: {note}")


def _store(config: Path | None) -> LogoStore:
    return logo_store(InferenceSettings.load(config).shared)


def _desk(config: Path | None) -> LogoDesk:
    settings = InferenceSettings.load(config)
    return logo_desk(settings.models.dir, settings.shared, SystemClock())


def _name_of(file: Path) -> str:
    """Make a name of a file's, as far as it has letters for one.

    Raises:
        InvalidSample: it has none.
    """
    name = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:40]
    if not name:
        raise InvalidSample(f"no name can be made of {file.name!r}; give one with --name, e.g. --name platform-b")
    return name


def _read(files: list[Path]) -> list[bytes]:
    """Read files, no further than a picture may be long.

    Raises:
        InvalidSample: one cannot be read.
    """
    found = []
    for path in files:
        try:
            with path.open("rb") as file:
                found.append(file.read(MAX_PICTURE_BYTES + 1))
        except OSError as exc:
            raise InvalidSample(f"cannot read {path}: {exc.strerror}; give the path of a picture") from exc
    return found
