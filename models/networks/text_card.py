"""What is said of a text network from its evaluation: the manifest for the store, and the table for people.

Pure: what was measured comes in. The manifest lays the measured thresholds on the policy's; the model card for people, with all
that is not a number, lies beside the shipped files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from models.calibration import Calibration
from models.data import HEADS
from models.manifest import ClassSpec, Licence, Manifest, Provenance, TensorSpec

NAME = "text-classifier"

LABELS = {"offensive": "abuse.insult", "hate": "abuse.hate"}
"""Taxonomy code of each answer."""

REVIEW, BLOCK = 0.5, 0.85
"""Calibrated scores that the measured thresholds are laid on: those of the shipped policy for texts in front of a chat."""

FLOOR = 0.3
"""Calibrated score below which nothing is reported."""

_NO_BLOCK = 0.8
"""Highest calibrated score of an answer whose block threshold was never reached in the validation data."""

_NOTICE = (
    "Trained by the Livewarden authors on COLDataset (Apache-2.0, Deng et al., EMNLP 2022), SWSR (MIT, Jiang et al., OSNEM 2022), "
    "hate-speech-and-offensive-language (MIT, Davidson et al., ICWSM 2017) and chat lines of DouyuCrawler (Apache-2.0)."
)
_NOTES = (
    "Calibration: the raw score is the network's probability after temperature; 0.5 lies where at most 0.4 % of the lines of "
    "held-out ordinary danmaku reach it and labelled texts reach it with precision 0.5 or more, 0.85 where 0.03 % do and with "
    "precision 0.95 or more. Metrics are of the test side of the split named in the code. Weak on short curses, on irony and on "
    "anything but insults and group attacks; see README.md beside this file."
)


def calibration_of(levels: Mapping[str, float]) -> Calibration:
    """Lay the thresholds of one answer on the policy's; straight lines in between.

    Args:
        levels: raw `review` and `block`, rising; infinite where the threshold was never reached.
    """
    points = [(0.0, 0.0)]
    for raw, score in ((levels["review"], REVIEW), (levels["block"], BLOCK)):
        if points[-1][0] < raw < 1.0:
            points.append((raw, score))
        elif raw <= points[-1][0]:
            points[-1] = (points[-1][0], score)
    ends = {0.0: FLOOR, REVIEW: _NO_BLOCK, BLOCK: 1.0}
    return Calibration.of([*points, (1.0, ends[points[-1][1]])])


def manifest_of(evaluation: Mapping[str, Any], *, version: str, file: str, sha256: str) -> Manifest:
    """Write the manifest of an exported network."""
    found = evaluation["network"]
    return Manifest(
        name=NAME,
        version=version,
        task="text.classify",
        file=file,
        sha256=sha256,
        inputs=(TensorSpec("ids", "int32", (None, None), 0),),
        outputs=(TensorSpec("scores", "float32", (None, len(HEADS)), 0),),
        licence=Licence("Apache-2.0", _NOTICE),
        provenance=Provenance("trained by `livewarden models train text`, split " + str(evaluation["split"])),
        classes=tuple(
            ClassSpec(index, head, LABELS[head], FLOOR, calibration_of(found["levels"][head])) for index, head in enumerate(HEADS)
        ),
        batch_ladder=(1, 2, 4, 8, 16, 32),
        metrics=metrics_of(found),
        notes=_NOTES,
    )


def metrics_of(found: Mapping[str, Any]) -> dict[str, float]:
    """Take the few figures that a list of models shows out of an evaluation."""
    rows = {(row["answer"], row["slice"]): row for row in found["figures"]}
    metrics = {
        f"{answer}_{figure}": row[figure]
        for (answer, name), row in rows.items()
        if name == "all"
        for figure in ("auc", "f1", "macro_f1", "block_precision", "block_recall")
    }
    metrics |= {f"danmaku_{figure}": found["danmaku"][figure] for figure in ("blocked", "review")}
    own = rows.get(("offensive", "source cold, its own test split"))
    if own is not None:
        metrics |= {"cold_test_accuracy": own["accuracy"], "cold_test_macro_f1": own["macro_f1"]}
    return {name: value for name, value in metrics.items() if value is not None and not math.isnan(value)}


def table(found: dict[str, Any]) -> str:
    """Write an evaluation as Markdown: one line per answer, slice and contender."""
    columns = ("auc", "accuracy", "f1", "macro_f1", "block_precision", "block_recall", "review_recall")
    names = [name for name in ("network", "baseline") if name in found]
    lines = [f"| answer | slice | n | ones | contender | {' | '.join(columns)} |", "|---" * (5 + len(columns)) + "|"]
    for rows in zip(*(found[name]["figures"] for name in names), strict=True):
        for name, row in zip(names, rows, strict=True):
            shown = " | ".join("-" if row[column] is None else f"{row[column]:.3f}" for column in columns)
            lines.append(f"| {row['answer']} | {row['slice']} | {row['n']} | {row['ones']} | {name} | {shown} |")
    for name in names:
        talk = found[name]["danmaku"]
        shares = f"{talk['blocked']:.3%} blocked, {talk['review']:.3%} to review"
        lines.append(f"\n{name}: of {talk['lines']:.0f} lines of ordinary danmaku {shares}")
    return "\n".join(lines)
