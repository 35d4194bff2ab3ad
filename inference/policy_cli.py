"""The commands `livewarden policy check | diff | replay`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from inference.errors import InvalidSample, LivewardenError
from inference.policy import Policy
from inference.policy_book import PolicyBook
from inference.policy_file import read_policies
from inference.replay import Difference, differing_rhythm, differing_rules, replay
from inference.verdicts import Decision
from models.errors import UnknownLabel
from models.taxonomy import Taxonomy

policy_app = typer.Typer(no_args_is_help=True, help="Check policy files, compare two policies, replay stored findings.")

MAX_SHOWN = 50
"""Differences that a replay prints one by one; the rest is in the counts."""

ResultT = TypeVar("ResultT")

PolicyFiles = Annotated[list[Path], typer.Argument(help="Policy files; checked together, as a deployment would load them.")]
ExtraFiles = Annotated[list[Path] | None, typer.Option("--file", "-f", help="Policy file that holds them; may be repeated.")]


@policy_app.command()
def check(files: PolicyFiles) -> None:
    """Say whether policy files can work, with every mistake by line. Exit 0 when they can, 1 when not."""
    taxonomy = Taxonomy.load()
    book = _or_exit(lambda: PolicyBook.load(files, taxonomy=taxonomy), code=1)
    for draft in [draft for file in files for draft in read_policies(file, taxonomy)]:
        policy = book[draft.id]
        served = ", ".join(policy.scope.biz) or "nobody by itself"
        typer.echo(f"{policy.id} version {policy.version}: {len(draft.layers)} rules of its own, serves {served}")


@policy_app.command()
def diff(
    before: Annotated[str, typer.Argument(help="Id of a policy, or a file with one policy.")],
    after: Annotated[str, typer.Argument(help="Id of a policy, or a file with one policy.")],
    files: ExtraFiles = None,
) -> None:
    """Tell what differs between two policies, label by label. Exits 0 when nothing does, 1 when something does, 2 on a bad file."""
    old, new = _two(before, after, files or [])
    lines = [*differing_rhythm(old, new), *differing_rules(old, new)]
    for line in lines:
        typer.echo(line)
    if not lines:
        typer.echo(f"{old.id} version {old.version} and {new.id} version {new.version} say the same")
    raise typer.Exit(1 if lines else 0)


@policy_app.command("replay")
def replay_findings(
    candidate: Annotated[str, typer.Argument(help="Id of a policy, or a file with one policy.")],
    findings: Annotated[Path, typer.Option("--findings", help="Stored findings, one sample a line (JSON).")],
    against: Annotated[str, typer.Option("--against", help="Policy to compare with: an id or a file.")] = "default",
    files: ExtraFiles = None,
) -> None:
    """Judge stored findings by a candidate and tell what would differ. Exit as `diff`."""
    old, new = _two(against, candidate, files or [])
    outcome = _or_exit(lambda: replay(_lines(findings), old, new), code=2)
    for difference in outcome.differences[:MAX_SHOWN]:
        typer.echo(_told(difference))
    if len(outcome.differences) > MAX_SHOWN:
        typer.echo(f"... and {len(outcome.differences) - MAX_SHOWN} more")
    for policy, counts in ((old, outcome.before), (new, outcome.after)):
        told = ", ".join(f"{decision} {counts[decision]}" for decision in Decision)
        typer.echo(f"{policy.id} version {policy.version}: {told}")
    typer.echo(f"{len(outcome.differences)} of {outcome.n_samples} samples differ")
    raise typer.Exit(1 if outcome.differences else 0)


def _told(difference: Difference) -> str:
    sample, cause = difference.sample, difference.cause
    place = f"room {sample.room_id} @ {sample.pts_s:.1f}s: " if sample.room_id else ""
    why = f"{cause.finding.label} {cause.finding.score:.2f}, rule {cause.rule or 'none'}"
    return f"line {difference.line}: {place}{difference.before} -> {difference.after} ({why})"


def _two(before: str, after: str, files: list[Path]) -> tuple[Policy, Policy]:
    """Find two policies in one book, so that both see the same parents."""
    taxonomy = Taxonomy.load()
    named = {name: Path(name) for name in (before, after) if Path(name).is_file()}
    paths = list(dict.fromkeys([*files, *named.values()]))
    book = _or_exit(lambda: PolicyBook.load(paths, taxonomy=taxonomy), code=2)

    def find(name: str) -> Policy:
        if name not in named:
            return book[name]
        drafts = read_policies(named[name], taxonomy)
        if len(drafts) > 1:
            ids = ", ".join(draft.id for draft in drafts)
            raise InvalidSample(f"{name} holds {len(drafts)} policies; name one of {ids}, with --file {name}")
        return book[drafts[0].id]

    return _or_exit(lambda: find(before), code=2), _or_exit(lambda: find(after), code=2)


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise InvalidSample(f"findings file {path} cannot be read: {error.strerror}") from error


def _or_exit(work: Callable[[], ResultT], *, code: int) -> ResultT:
    """Do something; a mistake of the user's is told on standard error and ends the command."""
    try:
        return work()
    except (LivewardenError, UnknownLabel) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(code) from None
