"""Cuts the speech of a clip out for the acoustic model, in pieces of a few sizes, and joins its answers again.

    clip        ......sssssss...sssss...............ssss......     speech
    stretches        [---------------]             [----]          a little around; short pauses stay inside
    pieces           [----------|00000]            [--|00]         padded to a size; long stretches in overlapping ones
    posteriors       aaaaaaaaaaaaaaaaa W bbbbbb                    one row of frames, a wall between two stretches

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.detectors import SpeechSegment
from inference.samples import SAMPLE_RATE_HZ, AudioClip
from inference.speech.spotting import NEVER
from models.speech_codec import FRAME_S, HOP_N, STRIDE

CONTEXT_S = 0.3
"""Sound around speech that the network hears too: a voice-activity net cuts first and last sounds short."""

JOIN_S = 0.7
"""A pause shorter than this does not part two stretches: a term may be said over it."""

SIZES = (100, 200, 300, 400, 600, 800)
"""Feature frames of 10 ms that a piece is padded to, so that pieces of nearly one length share a batch."""

OVERLAP = 80
"""Feature frames that two pieces of one stretch share; half is heard by each."""

_PCM_PER_FRAME = HOP_N * STRIDE


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a clip in which somebody speaks, in posterior frames of 40 ms from the clip's beginning, `[first, end)`."""

    first: int
    end: int

    @property
    def n_frames(self) -> int:
        """Length."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Piece:
    """What goes through the network at once: posterior frames of the clip, `[first, end)`, of which it answers `[own, own_end)`."""

    first: int
    end: int
    own: int
    own_end: int

    @property
    def pcm(self) -> slice:
        """The clip's PCM of it."""
        return slice(self.first * _PCM_PER_FRAME, self.end * _PCM_PER_FRAME)

    @property
    def size(self) -> int:
        """Feature frames it is padded to."""
        n_features = (self.end - self.first) * STRIDE
        return next(size for size in SIZES if size >= n_features)


def stretches_of(segments: Sequence[SpeechSegment], clip: AudioClip) -> tuple[Stretch, ...]:
    """Cut around the speech of a clip.

    Args:
        segments: on the session's timeline, in order.
        clip: what they were found in.
    """
    n_frames = -(-len(clip.pcm) // _PCM_PER_FRAME)
    found: list[Stretch] = []
    for segment in segments:
        first = max(0, int((segment.start_s - clip.start_s - CONTEXT_S) / FRAME_S))
        end = min(n_frames, int((segment.end_s - clip.start_s + CONTEXT_S) / FRAME_S) + 1)
        if found and first - found[-1].end < (JOIN_S - 2 * CONTEXT_S) / FRAME_S:
            first = found.pop().first
        if end > first:
            found.append(Stretch(first, end))
    return tuple(found)


def pieces_of(stretch: Stretch) -> Iterator[Piece]:
    """Yield the pieces of a stretch; each posterior frame is answered by one of them."""
    longest, shared = SIZES[-1] // STRIDE, OVERLAP // STRIDE
    first = own = stretch.first
    while True:
        end = min(first + longest, stretch.end)
        own_end = end if end == stretch.end else end - shared // 2
        yield Piece(first, end, own, own_end)
        if end == stretch.end:
            return
        first, own = end - shared, own_end


@dataclass(frozen=True, slots=True, eq=False)
class Posteriors:
    """The network's answers to all stretches of a clip, one after the other with walls between."""

    log_probs: NDArray[np.float32]
    """Shape (frames, units)."""
    places: NDArray[np.int32]
    """Of each row, its posterior frame in the clip; -1 for a wall."""

    @classmethod
    def joined(cls, stretches: Sequence[tuple[Stretch, NDArray[np.float32]]], n_units: int) -> Posteriors:
        """Put the answers to the stretches one after the other."""
        rows: list[NDArray[np.float32]] = []
        places: list[NDArray[np.int32]] = []
        wall = np.full((1, n_units), NEVER, np.float32)
        for stretch, answers in stretches:
            rows += [answers, wall]
            places += [np.arange(stretch.first, stretch.end, dtype=np.int32), np.full(1, -1, np.int32)]
        if not rows:
            return cls(np.zeros((0, n_units), np.float32), np.zeros(0, np.int32))
        return cls(np.concatenate(rows), np.concatenate(places))

    @property
    def spoken_s(self) -> float:
        """Seconds of sound that were heard."""
        return float((self.places >= 0).sum()) * FRAME_S

    @property
    def walls(self) -> NDArray[np.bool_]:
        """Which rows are walls."""
        return self.places < 0


def start_s(frame: int, clip: AudioClip) -> float:
    """Return where a posterior frame of a clip begins on the session's timeline, seconds."""
    return clip.start_s + frame * _PCM_PER_FRAME / SAMPLE_RATE_HZ
