"""How the gallery sees pictures: through a network in a lane and by colour and texture, or, where there is none, by these alone.

An *eye* turns a picture into numbers (`Looks`); those of different eyes cannot be compared, so each says which it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.detectors import timings_of
from inference.lanes import Lane
from inference.samples import Pixels
from inference.sessions import Session
from inference.tickets import Timing
from inference.verdicts import ModelRef
from inference.vision.descriptor import N_NUMBERS, describe
from inference.vision.gallery_page import Looks, unit_of
from inference.vision.tensors import tensor_of
from models.manifest import Manifest

Floats = NDArray[np.float32]

ORDINARY_FILE = "ordinary.npy"
"""Beside a network's manifest: what it makes of the frames of `ORDINARY_DESCRIBED`, row by row, float16, shape (n, d)."""
ORDINARY_DESCRIBED = Path(__file__).with_name("ordinary_described.npy")
"""Descriptions of ordinary frames, uint8 of 0..1 in 255ths, shape (n, N_NUMBERS)."""
COLOUR_AND_TEXTURE = "colour-and-texture-1"
DESCRIBED_WEIGHT = 0.6
"""What colour and texture count beside a network's 1. Each sees what the other misses; more of it takes games that share a
background for one another (benchmarks/README.md)."""


_POOR, _POOR_QUALITY = (240, 135), 35
"""Width, height and JPEG quality of a picture as a poor stream shows it."""


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """What an eye made of several pictures."""

    looks: Looks
    """One row a picture."""
    timings: tuple[Timing, ...] = ()


class Eye(Protocol):
    """One way of seeing; safe from any thread."""

    @property
    def model(self) -> str:
        """Which eye it is; names files, so letters, digits and `-` only."""
        ...

    @property
    def ref(self) -> ModelRef | None:
        """The network, where there is one."""
        ...

    @property
    def ordinary(self) -> Looks:
        """Looks of ordinary frames to begin with, shape (n, d)."""
        ...

    def prepare(self, pixels: Pixels) -> Floats:
        """Turn a picture, RGB uint8 (H, W, 3), into what `see` takes. CPU work."""
        ...

    async def see(self, prepared: Sequence[Floats], *, deadline_s: float | None) -> Glimpse:
        """Look at pictures; raises as `Lane.submit` and `Ticket`."""
        ...

    def look(self, pixels: Pixels) -> Floats:
        """Look at one picture, shape (d,). Blocks; for teaching."""
        ...


class PlainEye:
    """Colour and texture; needs no network."""

    model = COLOUR_AND_TEXTURE
    ref: ModelRef | None = None

    def __init__(self) -> None:
        self.ordinary: Looks = _ordinary_described()

    def prepare(self, pixels: Pixels) -> Floats:
        """Describe the picture."""
        return describe(pixels)

    async def see(self, prepared: Sequence[Floats], *, deadline_s: float | None) -> Glimpse:
        """Nothing to wait for."""
        return Glimpse(np.stack(prepared))

    def look(self, pixels: Pixels) -> Floats:
        """Describe one picture."""
        return describe(pixels)


class NetworkEye:
    """A network that embeds pictures, one input (3, S, S) and one output (d,), and beside it colour and texture.

    A look is both halves, each centred by its ordinary frames and brought to its weight: shape (d + N_NUMBERS,).
    """

    def __init__(self, manifest: Manifest, folder: Path, run: Callable[[Floats], Floats], lane: Lane | None = None) -> None:
        """Bind to a network.

        Args:
            manifest: of the network.
            folder: where its files lie; `ORDINARY_FILE` may be among them. Without it, or with another number of rows, what titles
                are told apart from is only what passes later.
            run: from one tensor (3, S, S) to its numbers (d,), on the calling thread; for teaching.
            lane: where `see` looks; None where nobody calls it.
        """
        self._numbers = manifest.preprocess
        self._side = (manifest.preprocess.width_px or 224, manifest.preprocess.height_px or 224)
        self._input, self._output = manifest.inputs[0].name, manifest.outputs[0].name
        self._run = run
        self._lane = lane
        self.model = f"{manifest.sha256[:12]}-{COLOUR_AND_TEXTURE}"
        self.ref = lane.session.ref if lane is not None else ModelRef(manifest.name, manifest.version, manifest.sha256)
        n_out = manifest.outputs[0].shape[-1] or 0
        path = folder / ORDINARY_FILE
        known = np.load(path, allow_pickle=False).astype(np.float32) if path.is_file() else np.zeros((0, n_out), np.float32)
        described = _ordinary_described()
        self._middle = known.mean(axis=0) if len(known) else np.zeros(n_out, np.float32)
        self._described_middle = described.mean(axis=0)
        if len(known) != len(described):
            known, described = known[:0], described[:0]
        self.ordinary: Looks = self._joined(known, described)

    def prepare(self, pixels: Pixels) -> Floats:
        """Bring a picture to the network's size, whatever its shape, and describe it; shape (3 * S * S + N_NUMBERS,)."""
        small = np.asarray(cv2.resize(pixels, self._side, interpolation=cv2.INTER_AREA), np.uint8)
        flat: Floats = np.concatenate([tensor_of(small, self._numbers).ravel(), describe(pixels)])
        return flat

    async def see(self, prepared: Sequence[Floats], *, deadline_s: float | None) -> Glimpse:
        """Wait for the lane."""
        assert self._lane is not None  # whoever builds a detector gives one
        tickets = [self._lane.submit({self._input: self._tensor(one)}, deadline_s=deadline_s) for one in prepared]
        answers = await asyncio.gather(*tickets)
        seen = np.stack([answer[self._output] for answer in answers])
        described = np.stack([one[-N_NUMBERS:] for one in prepared])
        return Glimpse(self._joined(seen, described), timings_of(tickets))

    def look(self, pixels: Pixels) -> Floats:
        """Run the network on this thread."""
        prepared = self.prepare(pixels)
        joined: Floats = self._joined(self._run(self._tensor(prepared))[None], prepared[None, -N_NUMBERS:])[0]
        return joined

    def _tensor(self, prepared: Floats) -> Floats:
        width, height = self._side
        tensor: Floats = prepared[:-N_NUMBERS].reshape(3, height, width)
        return tensor

    def _joined(self, seen: Looks, described: Looks) -> Looks:
        halves = (unit_of(seen, self._middle), DESCRIBED_WEIGHT * unit_of(described, self._described_middle))
        return np.asarray(np.concatenate(halves, axis=1), np.float32)


def _ordinary_described() -> Looks:
    described: Looks = np.load(ORDINARY_DESCRIBED, allow_pickle=False).astype(np.float32) / 255
    assert described.shape[1:] == (N_NUMBERS,)
    return described


def poorer(pixels: Pixels) -> Pixels:
    """Show a picture, RGB uint8 (H, W, 3), as a poor stream does: small, and encoded hard."""
    small = np.asarray(cv2.resize(pixels, _POOR, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _POOR_QUALITY])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None  # for the type checker: it was encoded a line before
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def looks_of(eye: Eye, pictures: Sequence[Pixels]) -> Looks:
    """Look at pictures that are taught: all as they are, then all as a poor stream shows them, shape (2 n, d).

    Much of a frame's look is how crisp it is: what is taught only crisp is missed where it is not, and other crisp games are taken
    for it.
    """
    if not pictures:
        return np.zeros((0, 0), np.float32)
    return np.stack([eye.look(one) for one in (*pictures, *map(poorer, pictures))])


def runner(session: Session, manifest: Manifest) -> Callable[[Floats], Floats]:
    """Let a session look at one tensor at a time."""
    given, told = manifest.inputs[0].name, manifest.outputs[0].name
    return lambda tensor: np.asarray(session.run({given: tensor[None]})[told][0], np.float32)
