"""What is said of an acoustic model from its evaluation: the manifest for the store, and the table for people.

Pure, but for reading the numbers of spotting that a manifest in the same place already has: they are set by listening with
the model (`inference/speech/fit_spotting.py`), and an export must not lose them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.manifest import Licence, Manifest, Preprocess, Provenance, TensorSpec
from models.speech_codec import N_MELS, SAMPLE_RATE_HZ, UNITS

NAME = "speech-units"

SPOTTING: Mapping[str, float] = {
    "frame_floor": 12.0,
    "pause_cost": 0.05,
    "max_syllable_s": 0.8,
    "min_clarity": 0.3,
    **{"told_2": -0.15, "told_3": -0.3, "told_4": -0.45, "told_5": -0.55, "told_6": -0.6},
    **{"sure_2": -0.05, "sure_3": -0.15, "sure_4": -0.25, "sure_5": -0.35, "sure_6": -0.4},
}
"""Numbers of spotting before any were fitted: careful ones."""

_NOTICE = (
    "The weights are licensed CC BY-SA 4.0: trained by the Livewarden authors on Mandarin words and syllables of audio-cmn "
    "(CC BY-SA, recorded by Yue Tan and Chen Wang, collected by Hugo Lopez), syllables of mp3-chinese-pinyin-sound (Unlicense), "
    "speech made with espeak-ng, a recording of voices round a fire (CC0), and word orders of COLDataset (Apache-2.0), SWSR (MIT) "
    "and DouyuCrawler (Apache-2.0). The rest of Livewarden is not affected."
)
_NOTES = (
    "Answers log probabilities of toneless initials and finals every 40 ms; metrics are unit errors on what was kept out of "
    "training. People never heard are understood far worse than the voices it knows: use terms of three syllables and more, and "
    "let people look before anything is done; see README.md beside this file."
)


def spotting_numbers(manifest: Path) -> dict[str, float]:
    """Read the numbers of spotting from a manifest that is there, or return careful ones."""
    return dict(Manifest.load(manifest).postprocess) if manifest.is_file() else dict(SPOTTING)


def manifest_of(evaluation: Mapping[str, Any], numbers: Mapping[str, float], *, version: str, file: str, sha256: str) -> Manifest:
    """Write the manifest of an exported network."""
    return Manifest(
        name=NAME,
        version=version,
        task="speech.units",
        file=file,
        sha256=sha256,
        inputs=(TensorSpec("features", "float32", (None, None, N_MELS), 0),),
        outputs=(TensorSpec("log_probs", "float32", (None, None, len(UNITS)), 0),),
        licence=Licence("CC-BY-SA-4.0", _NOTICE),
        provenance=Provenance(
            f"trained by `livewarden models train speech`, {evaluation['epoch']} epochs, split {evaluation['split']}"
        ),
        preprocess=Preprocess(sample_rate_hz=SAMPLE_RATE_HZ),
        postprocess=dict(numbers),
        batch_ladder=(1, 2, 4, 8, 16),
        metrics=metrics_of(evaluation),
        notes=_NOTES,
    )


def metrics_of(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Take the unit errors that a list of models shows out of an evaluation."""
    return {f"{group}_{how}": error for group, row in evaluation["unit_error"].items() for how, error in row.items()}


def speech_table(found: Mapping[str, Any]) -> str:
    """Write an evaluation as Markdown: one line per group of speakers."""
    ways = list(next(iter(found["unit_error"].values())))
    lines = [f"| speakers | units | {' | '.join(ways)} |", "|---" * (2 + len(ways)) + "|"]
    for group, row in found["unit_error"].items():
        lines.append(f"| {group} | {found['units'][group]} | " + " | ".join(f"{row[how]:.1%}" for how in ways) + " |")
    for group, voices in found["by_voice"].items():
        lines.append(f"\n{group}: " + ", ".join(f"{voice} {error:.1%}" for voice, error in voices.items()))
    return "\n".join(lines)
