"""Figures of a trained text network: temperature and thresholds from the validation side, then the test side, looked at once.

Everything is told beside the baseline fitted on the same rows in the same run, whose thresholds are found in the same way. Writes
`evaluation.json`, which `export.py` and the benchmark read, and the flagged danmaku for people to read.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import scores
from models.data import HEADS, SPLIT_SALT, Part, Row, Source, for_training
from models.errors import DataError
from models.networks.text import with_rounded_tables
from models.networks.text_answers import logits_of, validation_scores
from models.scores import Floats
from models.train import load_best

EVALUATION_FILE, FLAGGED_FILE = "evaluation.json", "flagged.tsv"

DANMAKU_REVIEW, DANMAKU_BLOCK = 0.004, 0.0003
"""Shares of the validation danmaku's lines that may reach each threshold of each answer: a third of the 1 % and 0.1 % that are
promised, because two answers add up and other rooms talk otherwise."""

REVIEW_PRECISION, BLOCK_PRECISION = 0.5, 0.95
"""Precision on the labelled validation rows that each threshold must have as well."""

Scorer = Callable[[Sequence[Row]], Floats]
"""Raw scores 0..1 of rows, shape (n, 2)."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Raw scores of one answer from which a text is looked at, and from which it is dropped; infinite where never."""

    review: float
    block: float


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the rows with a name."""

    name: str
    keep: Callable[[Row], bool]


SLICES = (
    Slice("all", lambda row: True),
    Slice("language zh", lambda row: row.source in (Source.COLD, Source.SWSR)),
    Slice("language en", lambda row: row.source is Source.DAVIDSON),
    Slice("length to 16", lambda row: len(row.text) <= 16),
    Slice("length 17 to 64", lambda row: 16 < len(row.text) <= 64),
    Slice("length over 64", lambda row: len(row.text) > 64),
    Slice("source cold, machine-aided labels", lambda row: row.source is Source.COLD and not row.human),
    Slice("source cold, its own test split", lambda row: row.source is Source.COLD and (row.human or row.part is not Part.TEST)),
    Slice("source swsr", lambda row: row.source is Source.SWSR),
    Slice("source davidson_en", lambda row: row.source is Source.DAVIDSON),
)
"""Danmaku are in none: their targets are only presumed."""


def evaluate(folder: Path, rows: Sequence[Row], *, baseline: bool = True) -> dict[str, Any]:
    """Measure a run's best network.

    Args:
        folder: of the run; the evaluation and the flagged danmaku are written there.
        rows: of every data set, from `read_rows`.
        baseline: fit and measure the baseline too; some minutes.

    Returns:
        what was written to `evaluation.json`.

    Raises:
        DataError: the folder has no trained network.
    """
    trained = load_best(folder)
    shipped = with_rounded_tables(trained.net)
    valid = [row for row in rows if row.part is Part.VALID]
    logits = logits_of(shipped, valid, trained.alphabet)
    heats = [_heat(logits[:, head], valid, head) for head in range(len(HEADS))]

    def network(some: Sequence[Row]) -> Floats:
        return sigmoid(logits_of(shipped, some, trained.alphabet) / np.array(heats))

    contenders: dict[str, Scorer] = {"network": network}
    if baseline:
        from models.networks.text_baseline import Baseline

        contenders["baseline"] = Baseline(for_training(rows), valid).scores
    found: dict[str, Any] = {
        "split": SPLIT_SALT,
        "rows": {f"{source}.{part}": n for (source, part), n in sorted(Counter((row.source, row.part) for row in rows).items())},
        "temperature": dict(zip(HEADS, heats, strict=True)),
        "parameters": sum(one.numel() for one in trained.net.parameters()),
        "rounding": _cost_of_rounding(logits, logits_of(trained.net, valid, trained.alphabet), valid),
    }
    test = [row for row in rows if row.part is Part.TEST]
    for name, scorer in contenders.items():
        found[name] = measure(scorer(valid), valid, scorer(test), test)
    write_flagged(folder / FLAGGED_FILE, network(test), test, [Levels(**found["network"]["levels"][head]) for head in HEADS])
    (folder / EVALUATION_FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Read what `evaluate` wrote.

    Raises:
        DataError: there is nothing, or it is not JSON.
    """
    path = folder / EVALUATION_FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise DataError(f"cannot read {path}: {exc}; run `livewarden models evaluate text` first") from exc
    return found


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-logits)) without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)), np.float64)


def measure(valid: Floats, valid_rows: Sequence[Row], test: Floats, test_rows: Sequence[Row]) -> dict[str, Any]:
    """Set the thresholds on the validation side and give the figures of the test side."""
    levels = [levels_of(valid[:, head], valid_rows, head) for head in range(len(HEADS))]
    table = [
        line
        for head in range(len(HEADS))
        for part in SLICES
        if (line := _figures(part, head, levels[head], (valid, valid_rows), (test, test_rows))) is not None
    ]
    return {
        "levels": {name: asdict(level) for name, level in zip(HEADS, levels, strict=True)},
        "figures": table,
        "danmaku": danmaku_shares(test, test_rows, levels),
        "danmaku_valid": danmaku_shares(valid, valid_rows, levels),
    }


def levels_of(raw: Floats, rows: Sequence[Row], head: int) -> Levels:
    """Find the thresholds of one answer: as low as the danmaku and the precision on labelled rows allow."""
    talk = np.array([row.source is Source.DANMAKU for row in rows])
    n_seen = np.array([row.n_seen for row in rows], np.float64)
    places, targets = _labelled(rows, head)

    def level(share: float, wanted: float) -> float:
        by_talk = scores.threshold_for_rate(raw[talk], n_seen[talk], share) if talk.any() else 0.0
        return max(by_talk, scores.threshold_for_precision(raw[places], targets, wanted))

    review = level(DANMAKU_REVIEW, REVIEW_PRECISION)
    return Levels(review, max(review, level(DANMAKU_BLOCK, BLOCK_PRECISION)))


def danmaku_shares(raw: Floats, rows: Sequence[Row], levels: Sequence[Levels]) -> dict[str, float]:
    """Return how many lines of ordinary danmaku there are, and the shares that any answer would block or have looked at."""
    talk = np.array([row.source is Source.DANMAKU for row in rows])
    n_seen = np.array([row.n_seen for row in rows], np.float64)[talk]
    blocked = np.any([raw[talk, head] >= level.block for head, level in enumerate(levels)], axis=0)
    looked_at = np.any([raw[talk, head] >= level.review for head, level in enumerate(levels)], axis=0) & ~blocked
    n_lines = max(1.0, n_seen.sum())
    return {
        "lines": float(n_seen.sum()),
        "blocked": float(n_seen[blocked].sum() / n_lines),
        "review": float(n_seen[looked_at].sum() / n_lines),
    }


def write_flagged(path: Path, raw: Floats, rows: Sequence[Row], levels: Sequence[Levels]) -> None:
    """Write the danmaku that any answer would not pass, worst first, for people to read."""
    lines: list[tuple[float, str, str, int, str]] = []
    for place, row in enumerate(rows):
        for head, level in enumerate(levels):
            if row.source is Source.DANMAKU and raw[place, head] >= level.review:
                decision = "block" if raw[place, head] >= level.block else "review"
                lines.append((float(raw[place, head]), HEADS[head], decision, row.n_seen, row.text))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(("raw", "answer", "decision", "times", "text"))
        writer.writerows((f"{raw_score:.4f}", *rest) for raw_score, *rest in sorted(lines, reverse=True))


def _cost_of_rounding(small: Floats, exact: Floats, rows: Sequence[Row]) -> dict[str, float]:
    """Tell what tables in 8 bits change on the validation side: areas under the curve, and the largest change of a probability."""
    before, after = validation_scores(exact, rows), validation_scores(small, rows)
    changes = {f"auc of {name}": after[name] - before[name] for name in before}
    return {**changes, "largest change": float(np.abs(sigmoid(small) - sigmoid(exact)).max())}


def _heat(logits: Floats, rows: Sequence[Row], head: int) -> float:
    places, targets = _labelled(rows, head)
    return scores.temperature(logits[places], targets)


def _labelled(rows: Sequence[Row], head: int, keep: Callable[[Row], bool] = lambda row: True) -> tuple[list[int], Floats]:
    """Return the places of the rows whose answer people gave, and the answers."""
    places = [
        place for place, row in enumerate(rows) if row.source is not Source.DANMAKU and row.targets[head] is not None and keep(row)
    ]
    return places, np.array([rows[place].targets[head] for place in places], np.float64)


def _figures(
    part: Slice, head: int, level: Levels, valid: tuple[Floats, Sequence[Row]], test: tuple[Floats, Sequence[Row]]
) -> dict[str, Any] | None:
    """Measure one answer on one slice of the test side; None where it has not both kinds."""
    tuned_on, tuned_to = _labelled(valid[1], head, part.keep)
    places, targets = _labelled(test[1], head, part.keep)
    if len(set(targets.tolist())) < 2 or len(set(tuned_to.tolist())) < 2:
        return None
    middle = scores.best_threshold(valid[0][tuned_on, head], tuned_to)
    raw = test[0][places, head]
    figures = {
        "auc": scores.auc(raw, targets),
        "accuracy": scores.accuracy(raw, targets, middle),
        "f1": scores.f1(raw, targets, middle),
        "macro_f1": scores.macro_f1(raw, targets, middle),
        "block_precision": scores.precision(raw, targets, level.block),
        "block_recall": scores.recall(raw, targets, level.block),
        "review_precision": scores.precision(raw, targets, level.review),
        "review_recall": scores.recall(raw, targets, level.review),
    }
    kept = {name: None if np.isnan(value) else round(value, 4) for name, value in figures.items()}
    return {"answer": HEADS[head], "slice": part.name, "n": len(places), "ones": int(targets.sum()), **kept}
