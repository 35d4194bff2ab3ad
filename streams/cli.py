"""The `livewarden` command: puts the commands of all floors together and translates errors into one line and an exit code.

Exit codes everywhere: 0 clean, 1 violations or a negative answer, 2 what was asked for could not be read or started.
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from inference.cli import check
from inference.errors import LivewardenError
from inference.gallery_cli import gallery_app
from inference.lexicon_cli import lexicon_app
from inference.logo_cli import logos_app
from inference.policy_cli import policy_app
from models.cli import models_app
from models.errors import ModelsError
from models.seam import TextServing
from streams.clip_frames import frames_of_clip
from streams.rooms_cli import rooms_app
from streams.settings import Settings

app = typer.Typer(
    name="livewarden",
    help="Real-time content moderation for live platforms: rooms in, explained violations out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _serving() -> TextServing:
    """Lend the models floor what training asks of serving; imported only then, for it loads the text engine."""
    from inference.text.served import ServedText

    return ServedText()


app.add_typer(models_app, name="models", context_settings={"obj": _serving})
app.add_typer(rooms_app, name="rooms")
app.add_typer(policy_app, name="policy")
app.add_typer(lexicon_app, name="lexicon")
app.add_typer(logos_app, name="logos")
app.add_typer(gallery_app, name="gallery", context_settings={"obj": frames_of_clip})
app.command("check")(check)

Config = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file; LIVEWARDEN_* variables go over it.")]
UNREADABLE = 2


class LogLevel(StrEnum):
    """How much is logged on standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@app.callback()
def _setup(log_level: Annotated[LogLevel, typer.Option(help="Log level on standard error.")] = LogLevel.WARNING) -> None:
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(threadName)s: %(message)s"
    )


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(min=5.0, help="End after this long; exit 0 only if all was found.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the console; 0 takes a free one.")] = 8080,
    config: Config = None,
) -> None:
    """Watch rooms made on the spot: everything embedded, no Kafka, no GPU needed."""
    from streams.demo import run_demo

    raise typer.Exit(run_demo(_settings(config), seconds=seconds, port=port))


@app.command()
def up(config: Config = None) -> None:
    """Run API and worker in one process tree; Kafka where it is configured."""
    from streams.serve import Role, run_tree

    raise typer.Exit(run_tree(_settings(config), Role.UP))


@app.command()
def api(config: Config = None) -> None:
    """Run the API alone: checks at once, rooms handed to workers through Kafka."""
    from streams.serve import Role, run_tree

    raise typer.Exit(run_tree(_settings(config), Role.API))


@app.command()
def worker(config: Config = None) -> None:
    """Run a worker alone: it takes its share of the rooms in Kafka."""
    from streams.serve import Role, run_tree

    raise typer.Exit(run_tree(_settings(config), Role.WORKER))


@app.command()
def scan(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Files or URLs, read to the end.")],
    as_json: Annotated[bool, typer.Option("--json", help="Violation events as they happen, one a line, nothing else.")] = False,
    policy: Annotated[str | None, typer.Option("--policy", "-p", help="Policy id, or a policy file.")] = None,
    detectors: Annotated[str | None, typer.Option(help="Names separated by commas; all by default.")] = None,
    config: Config = None,
) -> None:
    """Watch files to the end, as fast as the machine goes. Exit 0 clean, 1 violations found, 2 could not read a source."""
    from streams.scan import ScanOrder, run_scan

    names = tuple(name.strip() for name in detectors.split(",") if name.strip()) if detectors else None
    raise typer.Exit(run_scan(_settings(config), ScanOrder(tuple(sources), as_json, policy, names)))


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False, config: Config = None) -> None:
    """Say what this machine can do, and the fix for what is missing. Exit 0 when it can watch rooms, 1 when not."""
    from streams.doctor import run_doctor

    raise typer.Exit(run_doctor(_settings(config), as_json=as_json))


def _settings(config: Path | None) -> Settings:
    return Settings.load(config)


def main() -> None:
    """Run the command line; what goes wrong on purpose is one line on standard error and exit code 2."""
    try:
        app()
    except (LivewardenError, ModelsError) as error:
        typer.echo(f"livewarden: {error}", err=True)
        sys.exit(UNREADABLE)


if __name__ == "__main__":
    main()
