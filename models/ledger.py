"""One model's life cycle on disk: which version is in which state, which one is live, and what was live before.

A ledger is one small JSON file per model, replaced whole, so that a reader sees the old or the new one and never half. What the
steps are called and which follows which is here; the files of the versions are for `store.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from models.errors import StoreError, WrongState
from models.staging import sync_folder

LEDGER_FILE = "ledger.json"


class State(StrEnum):
    """Where a version stands; each step follows the one before."""

    DRAFT = "draft"
    """Published, nothing known of it."""
    TESTED = "tested"
    """Evaluated; its numbers are in the ledger."""
    APPROVED = "approved"
    """A person let it serve."""
    LIVE = "live"
    """What serves; one version of a model at most."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """States of all versions of one model; steps give a new ledger."""

    states: Mapping[str, State] = field(default_factory=dict, hash=False)
    """By version; APPROVED for the live one too, whose being live is `live`."""
    live: str | None = None
    was_live: tuple[str, ...] = ()
    """Versions that were live before, latest last; what `rollback` goes back to."""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)
    """What `tested` recorded, by version."""

    def state(self, version: str) -> State:
        """Tell where a version stands; DRAFT for one the ledger has not seen (a publish cut short before its last step)."""
        if version == self.live:
            return State.LIVE
        return self.states.get(version, State.DRAFT)

    def tested(self, version: str, metrics: Mapping[str, float]) -> Ledger:
        """Record an evaluation; a version further on keeps its state."""
        state = State.TESTED if self.state(version) is State.DRAFT else self.states.get(version, State.DRAFT)
        return replace(self, states={**self.states, version: state}, metrics={**self.metrics, version: dict(metrics)})

    def approved(self, version: str, *, untested: bool) -> Ledger:
        """Let a version serve.

        Raises:
            WrongState: it was not tested and `untested` does not say that this is meant.
        """
        if self.state(version) is State.DRAFT and not untested:
            raise WrongState(f"version {version} is a draft; evaluate it first, or approve it untested")
        return replace(self, states={**self.states, version: State.APPROVED})

    def promoted(self, version: str) -> Ledger:
        """Make an approved version the live one.

        Raises:
            WrongState: it is not approved.
        """
        state = self.state(version)
        if state is State.LIVE:
            return self
        if state is not State.APPROVED:
            raise WrongState(f"version {version} is {state}; approve it before it goes live")
        before = self.was_live if self.live is None else (*(old for old in self.was_live if old != self.live), self.live)
        return replace(self, live=version, was_live=tuple(old for old in before if old != version))

    def without_live(self) -> Ledger:
        """Make no version of the store's the live one; the one left stays approved and is what `rollback` goes back to."""
        before = self.was_live if self.live is None else (*(old for old in self.was_live if old != self.live), self.live)
        return replace(self, live=None, was_live=before)

    def rolled_back(self) -> Ledger:
        """Make the version that was live before the live one again; the one left stays approved.

        Raises:
            WrongState: none was live before.
        """
        if not self.was_live:
            raise WrongState("no earlier live version to roll back to")
        return replace(self, live=self.was_live[-1], was_live=self.was_live[:-1])

    def without(self, version: str) -> Ledger:
        """Forget a version that was removed; where it was live, none is until the next promotion."""
        return Ledger(
            states={known: state for known, state in self.states.items() if known != version},
            live=None if self.live == version else self.live,
            was_live=tuple(old for old in self.was_live if old != version),
            metrics={known: row for known, row in self.metrics.items() if known != version},
        )


def read_ledger(folder: Path) -> Ledger:
    """Read a model's ledger; an empty one where there is none.

    Raises:
        StoreError: the file is there and cannot be understood.
    """
    path = folder / LEDGER_FILE
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        return Ledger(
            states={str(version): State(state) for version, state in tree["states"].items()},
            live=tree["live"],
            was_live=tuple(tree["was_live"]),
            metrics=tree.get("metrics", {}),
        )
    except FileNotFoundError:
        return Ledger()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise StoreError(f"cannot read ledger {path}: {type(exc).__name__}: {exc}") from exc


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Replace a model's ledger whole; the caller holds the store's lock.

    Raises:
        OSError: it cannot be written; the old one still stands.
    """
    tree = {
        "states": {version: state.value for version, state in ledger.states.items()},
        "live": ledger.live,
        "was_live": list(ledger.was_live),
        "metrics": {version: dict(row) for version, row in ledger.metrics.items()},
    }
    draft = folder / f".{LEDGER_FILE}.new"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(tree, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / LEDGER_FILE)
    sync_folder(folder)
