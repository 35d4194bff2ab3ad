"""The commands `livewarden policy check | diff | replay`.

Exit codes: 0 done, 1 the two policies differ (`diff`), 2 a file or policy cannot work: each mistake a line on standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inference.errors import InvalidSample, LivewardenError
from inference.policy import Policy
from inference.policy_book import PolicyBook
from inference.policy_file import read_policies
from inference.replay import Change, Difference, Replay, differences, replay
from inference.stored_samples import read_samples
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
    """Say whether policy files can work, with every mistake by line. Exit 0 when they can, 2 when not."""
    taxonomy = Taxonomy.load()
    book = _or_exit(lambda: PolicyBook.load(files, taxonomy=taxonomy))
    for draft in [draft for file in files for draft in read_policies(file, taxonomy)]:
        policy = book[draft.id]
        served = ", ".join(policy.scope.biz) or "nobody by itself"
        typer.echo(f"{policy.id} version {policy.version}: {len(draft.layers)} rules of its own, serves {served}")


@policy_app.command()
def diff(
    before: Annotated[str, typer.Argument(help="Id of a policy, or a file with one policy.")],
    after: Annotated[str, typer.Argument(help="Id of a policy, or a file with one policy.")],
    files: ExtraFiles = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Tell what differs between two policies, label by label. Exits 0 when nothing does, 1 when something does, 2 on a bad file."""
    old, new = _two(before, after, files or [])
    changes = list(differences(old, new))
    if as_json:
        names = [f"{policy.id}@{policy.version}" for policy in (old, new)]
        typer.echo(msgspec.json.encode({"before": names[0], "after": names[1], "changes": [asdict(one) for one in changes]}))
    elif changes:
        _show_changes(changes, old, new)
    else:
        typer.echo(f"{old.id} version {old.version} and {new.id} version {new.version} say the same")
    raise typer.Exit(1 if changes else 0)


def _show_changes(changes: Sequence[Change], old: Policy, new: Policy) -> None:
    """Print a table for eyes, plain lines for pipes."""
    console = Console()
    if not console.is_terminal:
        for change in changes:
            typer.echo(str(change))
        return
    table = Table("where", "what", f"{old.id} {old.version}", f"{new.id} {new.version}")
    for change in changes:
        table.add_row(*(escape(cell) for cell in (change.place, change.name, change.before, change.after)))
    console.print(table)


@policy_app.command("replay")
def replay_findings(
    candidate: Annotated[str, typer.Argument(help="Id of a policy, or a file with one policy.")],
    findings: Annotated[
        Path, typer.Option("--findings", help="One JSON object a line: a violation event's data, a finding, or a sample.")
    ],
    against: Annotated[str, typer.Option("--against", help="Policy to compare with: an id or a file.")] = "default",
    files: ExtraFiles = None,
) -> None:
    """Judge stored findings by a candidate and tell what would differ, in all and by label."""
    old, new = _two(against, candidate, files or [])
    outcome = _or_exit(lambda: replay(read_samples(_lines(findings)), old, new))
    for difference in outcome.differences[:MAX_SHOWN]:
        typer.echo(_told(difference))
    if len(outcome.differences) > MAX_SHOWN:
        typer.echo(f"... and {len(outcome.differences) - MAX_SHOWN} more")
    for policy, counts in ((old, outcome.before), (new, outcome.after)):
        told = ", ".join(f"{decision} {counts[decision]}" for decision in Decision)
        typer.echo(f"{policy.id} version {policy.version}: {told}")
    for line in _by_label(outcome):
        typer.echo(line)
    typer.echo(f"{len(outcome.differences)} of {outcome.n_samples} samples differ")


def _by_label(outcome: Replay) -> list[str]:
    """Write what becomes of each label's findings, only where something changes."""
    lines = []
    for label, counts in sorted(outcome.by_label.items()):
        moved = [f"{n} {was} -> {now}" for (was, now), n in sorted(counts.items()) if was is not now]
        if moved:
            lines.append(f"{label}: {', '.join(moved)}, of {counts.total()} findings")
    return lines


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
    book = _or_exit(lambda: PolicyBook.load(paths, taxonomy=taxonomy))

    def find(name: str) -> Policy:
        if name not in named:
            return book[name]
        drafts = read_policies(named[name], taxonomy)
        if len(drafts) > 1:
            ids = ", ".join(draft.id for draft in drafts)
            raise InvalidSample(f"{name} holds {len(drafts)} policies; name one of {ids}, with --file {name}")
        return book[drafts[0].id]

    return _or_exit(lambda: find(before)), _or_exit(lambda: find(after))


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError as error:
        raise InvalidSample(f"findings file {path} cannot be read: {error.strerror}") from error


def _or_exit(work: Callable[[], ResultT]) -> ResultT:
    """Do something; a mistake of the user's is told on standard error and ends the command."""
    try:
        return work()
    except (LivewardenError, UnknownLabel) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
