"""Other people out of few: the voice of a clip is changed in its spectrum, vocal tract apart from pitch, its pace in frames.

Pure numpy on frames of the bank; which clips are spoken after which is `speech_mix.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.speech_bank import N_BINS, N_SHAPE, waves

_BINS = np.arange(N_BINS, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """How one speaker differs from who was recorded."""

    places: NDArray[np.float32]
    """Where on the recording's frequency axis each bin of the speaker's vocal tract is, in bins, shape (257,)."""
    pitch: float
    """Factor of the pitch."""
    depth: float
    """How strongly harmonics stand out; 1 as recorded, 0 a whisper."""
    lifter: NDArray[np.float32]
    """Factor of each coefficient of the shape: blunter and sharper formants, shape (N_SHAPE,)."""
    colour: NDArray[np.float32]
    """What the speaker's timbre adds to each bin, in log power, shape (257,)."""

    def __repr__(self) -> str:
        return f"Person(tract {N_BINS / 2 / self.places[N_BINS // 2]:.2f}, pitch {self.pitch:.2f})"


SAME = Person(_BINS, 1.0, 1.0, np.ones(N_SHAPE, np.float32), np.zeros(N_BINS, np.float32))
"""Who was recorded."""


def anybody(rng: np.random.Generator, *, width: float = 1.0) -> Person:
    """Make up a speaker: from a deep man to a child.

    Args:
        rng: chance.
        width: 1 for all there are, 0 for who was recorded.
    """
    tract = np.exp(width * rng.uniform(np.log(0.76), np.log(1.25)))
    bend = 1.0 + width * rng.uniform(-0.06, 0.06) * np.sin(np.pi * (_BINS / N_BINS * rng.uniform(1.0, 4.0) + rng.uniform(0.0, 2.0)))
    places = np.clip(_BINS / (tract * bend), 0.0, N_BINS - 1.0).astype(np.float32)
    orders = np.arange(N_SHAPE)
    tilt = 1.0 + width * rng.uniform(-0.2, 0.2) * np.cos(np.pi * orders / N_SHAPE * rng.uniform(0.5, 2.0))
    lifter = tilt * np.exp(width * rng.normal(0.0, 0.05, N_SHAPE)) * np.exp(width * rng.uniform(-0.2, 0.15))
    lifter[0] = 1.0
    return Person(
        places,
        pitch=float(np.exp(width * rng.uniform(np.log(0.42), np.log(1.4)))),
        depth=float(1.0 + width * rng.uniform(-0.7, 0.2)),
        lifter=lifter.astype(np.float32),
        colour=width * curve(rng, spread=1.2),
    )


def curve(rng: np.random.Generator, *, spread: float, n_knots: int = 7) -> NDArray[np.float32]:
    """Return a smooth random curve over the bins, in log power, finer where pitch is heard finer, shape (257,)."""
    knots = np.concatenate([[0.0], np.geomspace(8.0, N_BINS - 1.0, n_knots - 1)])
    return np.interp(_BINS, knots, rng.normal(0.0, spread, n_knots)).astype(np.float32)


def spoken_by(person: Person, shapes: NDArray[np.floating[Any]], details: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the power spectra of frames as the person would have them.

    Args:
        person: who.
        shapes: (n, N_SHAPE).
        details: (n, 257).

    Returns:
        float32, (n, 257).
    """
    logs = (shapes.astype(np.float32) * person.lifter) @ waves(person.places) + person.colour
    harmonics = _folded(np.rint(_BINS / person.pitch).astype(np.int64))
    logs += person.depth * np.take(details.astype(np.float32), harmonics, axis=1)
    return np.exp(np.minimum(logs, 25.0))


def _folded(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Reflect places beyond the highest bin: up there one bin of breath is as good as another."""
    turn = 2 * (N_BINS - 1)
    places = places % turn
    return np.where(places > N_BINS - 1, turn - places, places)


def slurred(shapes: NDArray[np.float16], reach: int) -> NDArray[np.float32]:
    """Let every frame be drawn to those around it, across joined words too, as a tongue that hurries does.

    Args:
        shapes: (n, N_SHAPE).
        reach: frames to either side.
    """
    padded = np.pad(shapes.astype(np.float32), ((reach + 1, reach), (0, 0)), mode="edge")
    sums = np.cumsum(padded, axis=0, dtype=np.float64)
    width = 2 * reach + 1
    return ((sums[width:] - sums[:-width]) / width).astype(np.float32)


def paced(count: int, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return which of so many frames are spoken, in order, to last for the wanted number: faster here, slower there."""
    along = np.linspace(0.0, 1.0, wanted, endpoint=False)
    swing = rng.uniform(-0.25, 0.25)
    # Steepness stays positive: 1 + swing * cos is never below 0.75.
    along = along + swing / (2.0 * np.pi) * np.sin(2.0 * np.pi * (along + rng.uniform())) if wanted > 8 else along
    return np.clip((along * count).astype(np.int64), 0, count - 1)
