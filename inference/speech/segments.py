"""From probabilities of speech to stretches of it, and how loud a clip is. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inference.detectors import SpeechSegment
from inference.samples import Pcm
from models.manifest import Manifest


@dataclass(frozen=True, slots=True)
class SegmentRules:
    """How chunks become stretches of speech."""

    speech_threshold: float
    """A stretch begins with a chunk at or above it."""
    silence_threshold: float
    """It ends with `min_silence_s` below this."""
    min_speech_s: float
    """Shorter stretches are dropped."""
    min_silence_s: float
    pad_s: float
    """Added to both ends."""

    @classmethod
    def of(cls, manifest: Manifest) -> SegmentRules:
        """Read them from the manifest.

        Raises:
            ManifestError: one is missing.
        """
        return cls(
            speech_threshold=manifest.number("speech_threshold"),
            silence_threshold=manifest.number("silence_threshold"),
            min_speech_s=manifest.number("min_speech_s"),
            min_silence_s=manifest.number("min_silence_s"),
            pad_s=manifest.number("speech_pad_s"),
        )


def speech_segments(
    probabilities: NDArray[np.float32], rules: SegmentRules, *, chunk_s: float, duration_s: float
) -> tuple[SpeechSegment, ...]:
    """Find the stretches of speech.

    Args:
        probabilities: of each chunk, 0..1, shape (steps,).
        rules: thresholds and lengths.
        chunk_s: length of a chunk, seconds.
        duration_s: length of the clip, seconds; no stretch goes beyond it.

    Returns:
        stretches from the clip's beginning at 0, in order, not overlapping.
    """
    found: list[SpeechSegment] = []
    for first, end in _stretches(probabilities, rules, max(1, math.ceil(rules.min_silence_s / chunk_s))):
        if (end - first) * chunk_s >= rules.min_speech_s:
            confidence = min(1.0, float(probabilities[first:end].mean()))
            start_s = max(0.0, first * chunk_s - rules.pad_s)
            found.append(SpeechSegment(start_s, min(duration_s, end * chunk_s + rules.pad_s), confidence))
    return _apart(found)


def _stretches(probabilities: NDArray[np.float32], rules: SegmentRules, n_silence: int) -> list[tuple[int, int]]:
    """Chunks [first, end) from a loud one to the quiet ones that end it."""
    found: list[tuple[int, int]] = []
    first: int | None = None
    quiet_from: int | None = None
    for index, probability in enumerate(probabilities.tolist()):
        if probability >= rules.speech_threshold:
            first = index if first is None else first
            quiet_from = None
        elif first is not None and probability < rules.silence_threshold:
            quiet_from = index if quiet_from is None else quiet_from
            if index + 1 - quiet_from >= n_silence:
                found.append((first, quiet_from))
                first = quiet_from = None
    if first is not None:
        found.append((first, len(probabilities) if quiet_from is None else quiet_from))
    return found


def _apart(segments: list[SpeechSegment]) -> tuple[SpeechSegment, ...]:
    """Let neighbours that grew into each other meet in the middle."""
    for index, (left, right) in enumerate(pairwise(segments)):
        if left.end_s > right.start_s:
            middle = (left.end_s + right.start_s) / 2
            segments[index] = SpeechSegment(left.start_s, middle, left.confidence)
            segments[index + 1] = SpeechSegment(middle, right.end_s, right.confidence)
    return tuple(segments)


def energy_dbfs(pcm: Pcm) -> float:
    """Tell how loud a clip is: root mean square in dB of full scale; -inf for digital silence or nothing at all."""
    power = float(np.mean(np.square(pcm, dtype=np.float64))) if len(pcm) else 0.0
    return 10 * math.log10(power) if power > 0 else -math.inf
