"""Finds paths of units in the answers of a CTC network: how well each path fits anywhere, and from when to when.

A path is compared, frame by frame, with the best that the network could say there at all: the *ratio* of a frame is the log
probability of the path's unit less that of the likeliest one, so it is 0 where they are the same. The score of a path is the sum
of its ratios along its best alignment, divided by its number of units: 0 is perfect, below about -3 it is not there.

    units      j   ia     w  ui        of one path; between two units there may be blanks (a pause costs `pause_cost` a frame),
    frames   . j j ia . . w ui ui .    and the same unit may last; a path begins and ends with a unit, anywhere

Pure; all paths advance together, one step of numpy a frame. What paths mean, and how sure a score is, others know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.speech_codec import BLANK

Floats = NDArray[np.float32]

NEVER = np.float32(-1e4)
"""Log probability of what cannot be; finite, so that sums of it stay numbers."""

BLOCK = 1024
"""Paths that advance together: what they need fits a core's cache, and memory stays bounded however many there are."""

N_DIMS = 2


@dataclass(frozen=True, slots=True)
class SpottingNumbers:
    """What was fitted for one acoustic model."""

    frame_floor: float = 12.0
    """A ratio is no lower than minus this, nats: one sound swallowed by noise must not rule a whole term out."""
    pause_cost: float = 0.05
    """What a frame of pause inside a path costs, nats: of two alignments the tighter one is meant."""
    max_syllable_s: float = 0.7
    """A path that takes longer a syllable is no hit, seconds."""
    bias: tuple[float, ...] = ()
    """Added to the log probability of each unit, in the order of the network's answers, nats: what is common in speech is guessed
    where nothing is clear, and must not pass for heard. () for none."""
    clarity_share: float = 0.0
    """What unclear sounds cost a hit (`weighing.py`), in its score, for each nat of their clarity."""
    pace_share: float = 0.0
    """What hurried syllables cost it, for each nat that they are too short."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitPaths:
    """Paths of units, padded to one length, in columns."""

    units: NDArray[np.int32]
    """Shape (longest, n)."""
    lengths: NDArray[np.int32]
    """Units of each, shape (n,)."""

    @classmethod
    def of(cls, paths: Sequence[Sequence[int]]) -> UnitPaths:
        """Lay paths out.

        Raises:
            ValueError: a path is empty, or holds the blank.
        """
        lengths = np.array([len(path) for path in paths], np.int32)
        if not lengths.all() or any(BLANK in path for path in paths):
            raise ValueError(f"a path has units and no blank among them, got {[tuple(path) for path in paths if not path][:3]}")
        units = np.full((int(lengths.max(initial=1)), len(paths)), BLANK, np.int32)
        for column, path in enumerate(paths):
            units[: len(path), column] = path
        return cls(units, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def blocks(self) -> Iterator[tuple[NDArray[np.intp], UnitPaths]]:
        """Yield the paths in blocks of like length, with the columns they are of."""
        order = np.argsort(self.lengths, kind="stable")
        for first in range(0, len(order), BLOCK):
            columns = order[first : first + BLOCK]
            longest = int(self.lengths[columns].max())
            yield columns, UnitPaths(np.ascontiguousarray(self.units[:longest, columns]), self.lengths[columns])


@dataclass(frozen=True, slots=True)
class PathHit:
    """One path found in the frames `[start, end)`."""

    path: int
    """Which one, by its column."""
    start: int
    end: int
    score: float
    """Mean ratio a unit, nats, at most 0."""

    def overlap(self, other: PathHit) -> float:
        """Return the share of the shorter hit that the other covers, 0..1."""
        common = min(self.end, other.end) - max(self.start, other.start)
        return max(0.0, common / min(self.end - self.start, other.end - other.start))


def ratios(log_probs: Floats, numbers: SpottingNumbers) -> Floats:
    """Compare each unit with the likeliest one of its frame.

    Args:
        log_probs: the network's answer, shape (frames, units).
        numbers: the floor.

    Returns:
        shape (frames, units), between minus the floor and 0.

    Raises:
        ValueError: the shape is another, or does not go with the bias.
    """
    if log_probs.ndim != N_DIMS:
        raise ValueError(f"log_probs must be (frames, units), got {log_probs.shape}")
    weighed = log_probs + np.asarray(numbers.bias, np.float32) if numbers.bias else log_probs
    best = weighed.max(axis=1, keepdims=True, initial=NEVER)
    floored: Floats = np.maximum(weighed - best, np.float32(-numbers.frame_floor))
    return floored


def end_scores(ratio: Floats, paths: UnitPaths, numbers: SpottingNumbers) -> Floats:
    """Score the best alignment of every path that ends with each frame.

    Args:
        ratio: of `ratios`, shape (frames, units); rows of NEVER are walls that no path crosses.
        paths: n paths.
        numbers: the pause cost.

    Returns:
        float32, shape (frames, n): sums of ratios, not yet divided by the units; NEVER or less where a path cannot end.
    """
    scores = np.full((len(ratio), len(paths)), NEVER, np.float32)
    for columns, block in paths.blocks():
        scores[:, columns] = _advance(ratio, block, numbers)
    return scores


def _advance(ratio: Floats, block: UnitPaths, numbers: SpottingNumbers) -> Floats:
    """Let the paths of one block go through all frames side by side."""
    longest, n_paths = block.units.shape
    last = (block.lengths - 1, np.arange(n_paths))
    closed = np.where(block.units[1:] == block.units[:-1], NEVER, np.float32(0.0))  # the same unit twice needs a blank between
    on_unit = np.full((longest, n_paths), NEVER, np.float32)
    on_blank = on_unit.copy()
    enter = np.zeros_like(on_unit)  # its first row stays 0: a path begins anywhere
    spoken = np.empty_like(on_unit)
    scores = np.empty((len(ratio), n_paths), np.float32)
    blanks = ratio[:, BLANK] - np.float32(numbers.pause_cost)
    for frame, row in enumerate(ratio):
        np.add(on_unit[:-1], closed, out=enter[1:])
        np.maximum(enter[1:], on_blank[:-1], out=enter[1:])
        np.maximum(on_blank, on_unit, out=on_blank)
        on_blank += blanks[frame]
        np.maximum(on_unit, enter, out=on_unit)
        np.take(row, block.units, out=spoken, mode="clip")
        on_unit += spoken
        np.maximum(on_unit, NEVER, out=on_unit)
        np.maximum(on_blank, NEVER, out=on_blank)
        scores[frame] = on_unit[last]
    return scores


def find(
    ratio: Floats, paths: UnitPaths, floors: Floats, numbers: SpottingNumbers, *, max_frames: NDArray[np.int32]
) -> list[PathHit]:
    """Find every place where a path fits.

    Args:
        ratio: of `ratios`.
        paths: n paths.
        floors: the lowest score a unit that counts, of each path, shape (n,).
        numbers: the pause cost.
        max_frames: the longest a path may take, of each, shape (n,).

    Returns:
        hits of one path do not overlap, the best first; those of different paths may.
    """
    likely = np.flatnonzero(reachable(ratio, paths, max_frames=max_frames) >= floors)
    chosen = UnitPaths(paths.units[:, likely], paths.lengths[likely])
    scores: Floats = np.divide(end_scores(ratio, chosen, numbers), chosen.lengths, dtype=np.float32)
    found: list[PathHit] = []
    for row in np.flatnonzero((scores >= floors[likely]).any(axis=0)).tolist():
        column = int(likely[row])
        found += _of_one(ratio, paths, column, scores[:, row].copy(), (float(floors[column]), int(max_frames[column])), numbers)
    return found


def reachable(ratio: Floats, paths: UnitPaths, *, max_frames: NDArray[np.int32]) -> Floats:
    """Bound the score a unit of every path from above, for a small part of what scoring costs: most terms end here.

    Each unit of an alignment needs one frame at least, and an alignment of at most d frames lies whole in one of the windows of
    2 d frames that begin every d frames.

    Returns:
        shape (n,); no alignment of a path within its `max_frames` scores more.
    """
    bounds = np.full(len(paths), NEVER, np.float32)
    for columns, block in paths.blocks():
        span = int(max_frames[columns].max())
        absent = np.arange(len(block.units))[:, np.newaxis] >= block.lengths
        best = np.full(len(columns), NEVER, np.float32)
        for first in range(0, len(ratio), span):
            peaks = ratio[first : first + 2 * span].max(axis=0)
            reached = peaks.take(block.units)
            reached[absent] = 0.0
            np.maximum(best, reached.sum(axis=0), out=best)
        bounds[columns] = best / block.lengths
    return bounds


def _of_one(
    ratio: Floats, paths: UnitPaths, column: int, ends: Floats, bounds: tuple[float, int], numbers: SpottingNumbers
) -> Iterator[PathHit]:
    """Yield the hits of one path, best first; what overlaps a better one is the same hit."""
    floor, longest = bounds
    units = paths.units[: paths.lengths[column], column]
    while ends.max() >= floor:
        end = int(ends.argmax())
        while end + 1 < len(ends) and ends[end + 1] >= ends[end]:  # the last sound is held: the term ends with it
            end += 1
        first = max(0, end + 1 - longest)
        start, score = align(ratio[first : end + 1], units, numbers)
        if score / len(units) >= floor:
            yield PathHit(column, first + start, end + 1, min(0.0, score / len(units)))
            ends[first + start : end + 1 + (end + 1 - first - start) // 2] = NEVER
        ends[end] = NEVER


def align(ratio: Floats, units: Sequence[int] | NDArray[np.int32], numbers: SpottingNumbers) -> tuple[int, float]:
    """Align one path that ends with the last frame.

    Args:
        ratio: of `ratios`, shape (frames, units), at least one frame.
        units: the path.
        numbers: the pause cost.

    Returns:
        the frame with which its best alignment begins, and the sum of its ratios; NEVER or less where there is none.
    """
    path = np.asarray(units, np.int32)
    closed = np.where(path[1:] == path[:-1], NEVER, np.float32(0.0))
    on_unit, on_blank = np.full(len(path), NEVER, np.float32), np.full(len(path), NEVER, np.float32)
    unit_from, blank_from = np.zeros(len(path), np.int64), np.zeros(len(path), np.int64)
    for frame, row in enumerate(ratio):
        skip, pause = on_unit[:-1] + closed, on_blank[:-1]
        enter = np.concatenate(([np.float32(0.0)], np.maximum(skip, pause)))
        enter_from = np.concatenate(([frame], np.where(pause > skip, blank_from[:-1], unit_from[:-1])))
        resting = on_unit > on_blank
        blank_from = np.where(resting, unit_from, blank_from)
        on_blank = np.maximum(on_unit, on_blank) + (row[BLANK] - np.float32(numbers.pause_cost))
        unit_from = np.where(enter > on_unit, enter_from, unit_from)
        on_unit = np.maximum(np.maximum(on_unit, enter) + row[path], NEVER)
        on_blank = np.maximum(on_blank, NEVER)
    return int(unit_from[-1]), float(on_unit[-1])


def greedy(log_probs: Floats) -> list[tuple[int, int]]:
    """Read the likeliest unit of every frame, repetitions and blanks left out.

    Returns:
        pairs of the frame in which a unit begins, and the unit.
    """
    if not len(log_probs):
        return []
    best = log_probs.argmax(axis=1)
    begins = np.flatnonzero((best != BLANK) & np.concatenate(([True], best[1:] != best[:-1])))
    return [(int(frame), int(best[frame])) for frame in begins]
