"""The commands `livewarden lexicon list | show | import | check | try | rollback | remove | export`.

Exit codes: 0 done, 1 refused (a list hits too many ordinary lines, or a tried text does not pass), 2 what was named cannot be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from inference.cli import TextOnly
from inference.clock import SystemClock
from inference.lexicon_views import (
    HIT_COLUMNS,
    VERSION_COLUMNS,
    contents,
    hit_rows,
    judged_line,
    judged_view,
    report_view,
    shown,
    version_row,
    version_view,
)
from inference.list_trial import Trial, silenced_base_terms
from inference.policy_book import PolicyBook
from inference.printing import Exit, echo_json, mistakes_told, show_table
from inference.samples import Scene
from inference.settings import InferenceSettings
from inference.text.check import TextChecker
from inference.text.lexicon import AllowList, WordList
from inference.text.list_check import DEFAULT_BUDGET, ListReport, n_untried
from inference.text.list_store import ListStore
from inference.text.stored_lists import Kind, Notes
from inference.verdicts import Decision
from models.taxonomy import Taxonomy

lexicon_app = typer.Typer(no_args_is_help=True, help="Word lists and allow-lists: import, check on ordinary chat, roll back.")

MAX_ERRORS_SHOWN = 50
"""Bad lines of a file that are printed; the rest is counted."""

Config = Annotated[Path | None, typer.Option("--config", "-c", help="livewarden.yaml with data_dir, lists and policies.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Corpus = Annotated[
    Path | None, typer.Option(help="Ordinary lines: a text with one a line, or a CSV with a column `text`; ours by default.")
]
Budget = Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the ordinary lines that the list may hit.")]
InScene = Annotated[Scene, typer.Option(help="Where the texts come from.")]
File = Annotated[Path, typer.Argument(help="A .csv with a header (term,label,level,...), or a text with a term a line.")]
Name = Annotated[str, typer.Argument(help="Name of the list.")]


@lexicon_app.command("list")
def list_lists(as_json: AsJson = False, config: Config = None) -> None:
    """List the imported lists, in force or not."""
    with mistakes_told():
        store = _store(config)
        stored = store.newest()
        if as_json:
            echo_json(list(map(version_view, stored)))
        elif stored:
            show_table(VERSION_COLUMNS, list(map(version_row, stored)))
        else:
            typer.echo(f"no lists in {store.root}; import one with `livewarden lexicon import FILE --name N`")


@lexicon_app.command()
def show(name: Name, as_json: AsJson = False, config: Config = None) -> None:
    """Describe a list: its versions, and what the one in force holds."""
    with mistakes_told():
        versions = _store(config).versions(name)
        live = next((one for one in versions if one.is_live), None)
        holds = contents(_read(live.path, live.kind), SystemClock().utc()) if live is not None else {}
        if as_json:
            echo_json({"name": name, "versions": list(map(version_view, versions)), "holds": holds})
            return
        show_table(VERSION_COLUMNS, list(map(version_row, versions)))
        for what, n_lines in holds.items():
            typer.echo(f"{what}: {n_lines}")


@lexicon_app.command("import")
def import_file(
    file: File,
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the list; one that exists gets a new version.")],
    kind: Annotated[Kind, typer.Option(help="`block` words are looked for, `allow` phrases suppress hits.")] = Kind.BLOCK,
    owner: Annotated[str, typer.Option(help="Who answers for the list.")] = "",
    budget: Budget = DEFAULT_BUDGET,
    corpus: Corpus = None,
    scene: InScene = Scene.DANMAKU,
    force: Annotated[bool, typer.Option("--force", help="Let it in although it hits too many ordinary lines.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Check a list on ordinary chat and put it in force. Exits 1 when it is refused, 2 when a line of it cannot be read."""
    with mistakes_told():
        deployment = InferenceSettings.load(config)
        content = _read_clean(file, kind, as_json=as_json)
        rate = None
        if isinstance(content, WordList):
            report = Trial.of(deployment, ListStore.under(deployment.shared), scene, corpus).replay(content)
            _tell(report, content, budget, as_json=as_json, scene=scene)
            rate = report.rate
            if not report.within(budget) and not force:
                typer.echo("refused, and nothing was changed: mend the terms above, or insist with --force", err=True)
                raise typer.Exit(Exit.REFUSED)
        elif silenced := silenced_base_terms(content):
            typer.echo(f"warning: switches off shipped terms: {', '.join(term.text for term in silenced)}", err=True)
        stored = ListStore.under(deployment.shared).publish(name, content, Notes(SystemClock().utc(), owner, file.name, rate))
        typer.echo(f"{stored.ref} is in force", err=as_json)


@lexicon_app.command()
def check(
    file: File,
    corpus: Corpus = None,
    budget: Budget = DEFAULT_BUDGET,
    scene: InScene = Scene.DANMAKU,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Replay a list on ordinary chat. Exits 1 when it hits more than the budget allows, 2 when a line of it cannot be read."""
    with mistakes_told():
        content = _read_clean(file, Kind.BLOCK, as_json=as_json)
        assert isinstance(content, WordList)  # for the type checker: that is what a block list is read as
        deployment = InferenceSettings.load(config)
        report = Trial.of(deployment, ListStore.under(deployment.shared), scene, corpus).replay(content)
        _tell(report, content, budget, as_json=as_json, scene=scene)
        raise typer.Exit(Exit.DONE if report.within(budget) else Exit.REFUSED)


@lexicon_app.command("try")
def try_texts(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="Texts to look at.")],
    audio: Annotated[Path | None, typer.Option(help="A WAV file: where and how surely the texts are said in it.")] = None,
    scene: InScene = Scene.DANMAKU,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say what all lists in force find in texts, and what the policy makes of it. Exits 1 when one does not pass.

    With --audio, whether the texts are heard in a file, on a list or not, and what the lists find there. Exits 1 when one is heard.
    """
    with mistakes_told():
        if audio is not None:
            raise typer.Exit(_try_sound(texts, audio, InferenceSettings.load(config), as_json=as_json))
        engine = _engine(InferenceSettings.load(config))
        worst = Exit.DONE
        for text in texts:
            verdict = engine.decide_text(engine.text.findings(text, scene), scene, None, "")
            if verdict.decision is not Decision.PASS:
                worst = Exit.REFUSED
            if as_json:
                echo_json({"text": text, "decision": verdict.decision, "findings": list(map(judged_view, verdict.judged))})
                continue
            typer.echo(f"{verdict.decision:<7} {shown(text)}")
            for judged in verdict.judged:
                typer.echo(judged_line(text, judged))
        raise typer.Exit(worst)


@lexicon_app.command()
def rollback(name: Name, version: Annotated[int, typer.Argument(help="Version to put in force.")], config: Config = None) -> None:
    """Put another version of a list in force; brings a removed list back too."""
    with mistakes_told():
        typer.echo(f"{_store(config).rollback(name, version).ref} is in force")


@lexicon_app.command()
def remove(name: Name, config: Config = None) -> None:
    """Take a list out of force. Its versions stay: `rollback` brings it back."""
    with mistakes_told():
        stored = _store(config).remove(name)
        typer.echo(f"{stored.ref} is out of force; `livewarden lexicon rollback {name} {stored.version}` brings it back")


@lexicon_app.command()
def export(
    name: Name,
    version: Annotated[int | None, typer.Option(help="Version; the one in force by default.")] = None,
    config: Config = None,
) -> None:
    """Write a list to standard output, as `import` reads it."""
    with mistakes_told():
        typer.echo(_store(config).find(name, version).text(), nl=False)


def _try_sound(texts: Sequence[str], file: Path, deployment: InferenceSettings, *, as_json: bool) -> Exit:
    """Print where texts are heard in a file."""
    from inference.lexicon_audio import finding_line, tried_lines, tried_view, try_sound

    sound = try_sound(texts, file, _engine(deployment).text, deployment)
    for tried in sound.terms:
        if as_json:
            echo_json(tried_view(tried, sound))
            continue
        for line in tried_lines(tried):
            typer.echo(shown(line))
    if not as_json:
        typer.echo(f"lists in force find {len(sound.findings)} terms in {sound.spoken_s:.1f} s of speech")
        for finding in sound.findings:
            typer.echo(shown(finding_line(finding)))
    return Exit.REFUSED if any(tried.heard for tried in sound.terms) else Exit.DONE


def _store(config: Path | None) -> ListStore:
    return ListStore.under(InferenceSettings.load(config).shared)


def _engine(deployment: InferenceSettings) -> TextOnly:
    """Put together all lists in force: shipped, configured and imported."""
    taxonomy, text = Taxonomy.load(), deployment.text
    lists = (*text.lists, *ListStore.under(deployment.shared).live_block_paths())
    allow = (*text.allow, *ListStore.under(deployment.shared).live_allow_paths())
    checker = TextChecker.load(lists, allow, labels=taxonomy)
    return TextOnly(checker, PolicyBook.load(deployment.policies, taxonomy=taxonomy))


def _read(file: Path, kind: Kind) -> WordList | AllowList:
    return WordList.read(file, Taxonomy.load().__getitem__) if kind is Kind.BLOCK else AllowList.read(file)


def _read_clean(file: Path, kind: Kind, *, as_json: bool) -> WordList | AllowList:
    """Read a list; bad lines are told and end the command."""
    content = _read(file, kind)
    if not content.errors:
        return content
    if as_json:
        echo_json({"file": str(file), "errors": [{"line": error.line, "problem": error.problem} for error in content.errors]})
        raise typer.Exit(Exit.UNREADABLE)
    for error in content.errors[:MAX_ERRORS_SHOWN]:
        typer.echo(shown(f"{file}, {error}"), err=True)
    if (n_more := len(content.errors) - MAX_ERRORS_SHOWN) > 0:
        typer.echo(f"... and {n_more} more bad lines", err=True)
    raise typer.Exit(Exit.UNREADABLE)


def _tell(report: ListReport, words: WordList, budget: float, *, as_json: bool, scene: Scene) -> None:
    """Print what a list did to ordinary lines."""
    n_terms, n_idle = len(words.terms), n_untried(words.terms, scene, SystemClock().utc())
    if as_json:
        about = {"list": words.name, "scene": scene, "n_terms": n_terms, "n_untried": n_idle}
        echo_json(about | report_view(report, budget=budget))
        return
    rows = list(hit_rows(report))
    if rows:
        show_table(HIT_COLUMNS, rows)
    if (n_more := sum(len(term.hits) for term in report.terms) - len(rows)) > 0:
        typer.echo(f"... and {n_more} more hits, of {len(report.terms)} terms in all")
    if n_idle:
        typer.echo(f"{n_idle} of {n_terms} terms could not hit: they do not count in scene {scene}, or have expired")
    judged = f"{report.rate:.2%}, {'within' if report.within(budget) else 'over'} the budget of {budget:.2%}"
    typer.echo(f"{n_terms} terms hit {report.n_hit} of {report.n_lines} ordinary lines: {judged}")
