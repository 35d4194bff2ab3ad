"""The `check` command: texts from arguments or standard input, one verdict a line.

A typer command without an app of its own; `streams/cli.py` mounts it. Exit codes: 0 clean, 1 violations, 2 unreadable.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from inference.clock import SystemClock
from inference.errors import LivewardenError
from inference.policy_book import PolicyBook
from inference.registry import direct_classifier
from inference.samples import Scene
from inference.schemas import Problem, TextAnswer, TextRequest
from inference.settings import InferenceSettings
from inference.text.check import TextChecker
from inference.text_answers import TextAnswers
from inference.text_lists import TextLists
from inference.verdicts import Decision, Finding, Verdict
from models.errors import ModelsError
from models.store import ModelStore
from models.taxonomy import Taxonomy


class Exit(IntEnum):
    """What the shell learns."""

    CLEAN = 0
    VIOLATIONS = 1
    UNREADABLE = 2


@dataclass(frozen=True, slots=True)
class TextOnly:
    """The part of an engine that texts need: word lists and policies, no models."""

    text: TextChecker
    policies: PolicyBook

    @classmethod
    def load(cls, settings: InferenceSettings) -> TextOnly:
        """Read lists and policies; raises ConfigError where one cannot work."""
        taxonomy = Taxonomy.load()
        lists = TextLists.of(settings)
        text = TextChecker.load(lists.block, lists.allow, labels=taxonomy)
        return cls(text, PolicyBook.load(settings.policies, taxonomy=taxonomy))

    @property
    def generation(self) -> Hashable:
        """What tells the present lists and policies apart from earlier ones."""
        return (self.text.generation, self.policies.generation)

    def decide_text(self, findings: Sequence[Finding], scene: Scene, policy: str | None, biz: str) -> Verdict:
        """Return what a policy says; raises NotFound where there is none of that name."""
        return self.policies.verdict(self.policies.for_text(biz, scene, policy), findings, scene=scene)


def check(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts; without any, lines from standard input.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One answer a line, as POST /v1/text/check gives it.")] = False,
    scene: Annotated[Scene, typer.Option(help="Where the texts come from.")] = Scene.DANMAKU,
    policy: Annotated[str | None, typer.Option("--policy", "-p", help="Id of the policy.")] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="livewarden.yaml with lists and policies.")] = None,
) -> None:
    """Check texts. Exits 0 when all pass, 1 when one does not, 2 when one cannot be read."""
    try:
        # settings of the streams floor may stand in the same file; only the shared sections are read here
        settings = InferenceSettings.load(config)
        checks = TextOnly.load(settings)
        answers = TextAnswers(checks, SystemClock(), taxonomy=Taxonomy.load(), opinion=_opinion(settings))
    except LivewardenError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(Exit.UNREADABLE) from None
    worst = Exit.CLEAN
    for text in texts or _lines():
        worst = max(worst, _check_one(answers, TextRequest(text, scene, policy=policy), as_json=as_json))
    raise typer.Exit(worst)


def _opinion(settings: InferenceSettings) -> Callable[[Sequence[str]], Sequence[Sequence[Finding]]] | None:
    """Load the text network where it is wanted; without it the lists speak alone, and that is said."""
    if not settings.text.classifier:
        return None
    try:
        return direct_classifier(ModelStore(settings.models.dir)).score
    except (LivewardenError, ModelsError) as error:
        typer.echo(f"without the text network: {error}", err=True)
        return None


def _lines() -> Iterator[str]:
    """Yield the lines of standard input without their ends; bytes that are no UTF-8 become half surrogates, refused one by one."""
    for line in _decoded(sys.stdin.buffer):
        yield line.rstrip("\r\n")


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    return (line.decode("utf-8", "surrogateescape") for line in lines)


def _check_one(answers: TextAnswers, request: TextRequest, *, as_json: bool) -> Exit:
    """Check one text, print its line, say how it went."""
    clock = SystemClock()
    try:
        answer = answers.answer(request, clock.now_s())
    except LivewardenError as error:
        problem = Problem(error.title, error.status, str(error))
        typer.echo(msgspec.json.encode(problem) if as_json else f"unreadable  {error}", err=not as_json)
        return Exit.UNREADABLE
    typer.echo(msgspec.json.encode(answer) if as_json else _row(answer))
    return Exit.CLEAN if answer.decision is Decision.PASS else Exit.VIOLATIONS


def _row(answer: TextAnswer) -> str:
    """Write an answer for a person."""
    if answer.decision is Decision.PASS:
        return f"pass    {answer.masked_text}"
    return f"{answer.decision:<7} {answer.masked_text}  [{answer.label} {answer.score:.2f}] {answer.reason.zh} / {answer.reason.en}"
