"""Training of the picture network: one thread, fixed seeds, a checkpoint every few dozen steps, resumable.

The blocks stay as the public backbone has them; what is learnt is how much each direction of their means counts. Two looks at one
picture, and two levels of one made-up game, differ in what a title does not: those directions are pressed together until all of
them vary alike. Trained by descent on the few real frames there are, the blocks forgot the world instead (benchmarks/README.md).
A step's randomness comes from the run's seed and the step's number alone. The ONNX file is `export_image.py`.

Source:
    A. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based speaker recognition", 2006.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from models.errors import DataError
from models.image_ordinary import HELD_OUT, ordinary_frames
from models.image_titles import Pixels, Title
from models.image_views import CLIP_SUFFIXES, VIEW_SIZE, part_of_frame, read_clip, read_pictures, view
from models.networks.checkpoints import must_match, read_state, save_history, save_state
from models.networks.image import SIDE_PX, FrameNet

log = logging.getLogger(__name__)

Tell = Callable[[str], None]
NDArrayInt = np.ndarray[Any, np.dtype[np.int64]]

LAST_FILE = "last.pt"
ORDINARY_FRAMES_FILE = "ordinary_frames.npy"
"""Frames that the exported network's gallery begins with, uint8 (n, S, S, 3)."""
BACKBONE = Path("backbone") / "mobilenet_v2_embed.onnx"
EVERY = 50
"""Steps between two checkpoints."""

FIRST_TITLE = 10_000
"""Seed of the first made-up game that is learnt from; tests and benchmarks draw from below."""


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """The numbers of one run; kept with its checkpoints."""

    n_steps: int = 250
    n_titles: int = 300
    n_levels: int = 6
    n_frames: int = 24
    """Frames taken of each clip."""
    n_parts: int = 12
    """Sources cut out of each frame or screenshot."""
    n_pairs_a_step: int = 4
    """Of made-up games, and as many of parts of real frames."""
    damping: float = 1.0
    """Added to the mean variance of 1 before it is evened out: less presses harder, and trusts the few sources more."""
    seed: int = 5


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Everything that is looked at, with whom it belongs."""

    pictures: list[Pixels]
    """RGB uint8, `VIEW_SIZE`."""
    groups: NDArrayInt
    """Of each: its game's number; of a part of a real frame -1 - its frame's clip."""
    games: list[list[int]]
    """Places of each made-up game's levels."""
    parts: list[int]
    """Places of the parts of real frames."""


def gather(data: Path, plan: ImagePlan) -> Sources:
    """Cut and draw the sources.

    Raises:
        DataError: there is nothing real to learn from.
    """
    rng = np.random.default_rng((plan.seed, 1))
    clips = [path for path in sorted((data / "video").glob("*")) if path.suffix in CLIP_SUFFIXES and path.stem not in HELD_OUT]
    folders = [path for path in sorted((data / "games").glob("*")) if path.is_dir() and path.name not in HELD_OUT]
    real = [read_clip(path, plan.n_frames) for path in clips] + [read_pictures(path) for path in folders]
    if not any(real):
        raise DataError(f"no clips in {data / 'video'} and no screenshots in {data / 'games'}; name the folder that holds both")
    pictures: list[Pixels] = []
    groups: list[int] = []
    for number, frames in enumerate(real):
        for frame in frames:
            pictures += [part_of_frame(frame, rng, least=0.3) for _ in range(plan.n_parts)]
            groups += [-1 - number] * plan.n_parts
    parts = list(range(len(pictures)))
    games = []
    for number in range(plan.n_titles):
        title = Title.of(FIRST_TITLE + number)
        games.append(list(range(len(pictures), len(pictures) + plan.n_levels)))
        pictures += [np.asarray(cv2.resize(title.level(level), VIEW_SIZE), np.uint8) for level in range(plan.n_levels)]
        groups += [number] * plan.n_levels
    return Sources(pictures, np.array(groups, np.int64), games, parts)


def small(pictures: Sequence[Pixels], side_px: int) -> Pixels:
    """Bring RGB pictures to a square, whatever their shape; uint8 (n, S, S, 3)."""
    return np.stack([np.asarray(cv2.resize(one, (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8) for one in pictures])


def tensor(pictures: Sequence[Pixels], side_px: int) -> Tensor:
    """Turn RGB pictures into what the network takes, (n, 3, S, S) of -1..1."""
    floats = small(pictures, side_px).astype(np.float32) / 127.5 - 1.0
    return torch.from_numpy(floats.transpose(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)


@dataclass(slots=True)
class ImageProgress:
    """Where a run stands."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class ImageRun:
    """One training run in a folder of its own."""

    def __init__(self, data: Path, folder: Path, plan: ImagePlan) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(plan.seed)
        self.folder, self.plan, self.progress = folder, plan, ImageProgress()
        self.sources = gather(data, plan)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / ORDINARY_FRAMES_FILE, small(ordinary_frames(data), SIDE_PX), allow_pickle=False)
        self.net = FrameNet().to(memory_format=torch.channels_last).eval()
        self.net.take_backbone(data / BACKBONE)
        self.net.settle(tensor(self.sources.pictures[:: max(1, len(self.sources.pictures) // 200)], SIDE_PX))
        n_seen = self.net.shape.n_seen
        self._scatters = torch.zeros(2, n_seen, n_seen, dtype=torch.float64)  # of made-up games, of parts of real frames

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint; False where there is none.

        Raises:
            DataError: the checkpoint is of another plan.
        """
        path = self.folder / LAST_FILE
        if not path.is_file():
            return False
        state = read_state(path)
        must_match(path, state, {"plan": asdict(self.plan)})
        self.net.load_state_dict(state["net"])
        self._scatters = state["scatters"]
        self.progress = ImageProgress(state["step"], state["history"])
        return True

    def train(
        self, *, budget_s: float | None = None, tell: Tell = log.info, clock: Callable[[], float] = time.monotonic
    ) -> ImageProgress:
        """Train to the plan's end, or until time is up; tells a line and writes a checkpoint every `EVERY` steps."""
        began_s = clock()
        while self.progress.step < self.plan.n_steps:
            if budget_s is not None and clock() - began_s > budget_s:
                tell(f"time is up after {self.progress.step} steps; go on with --resume")
                break
            self._step()
            self.progress.step += 1
            if self.progress.step % EVERY == 0:
                spread = float(torch.linalg.matrix_norm(self._within()))
                self.progress.history.append({"step": self.progress.step, "spread": spread})
                tell(f"step {self.progress.step}: spread {spread:.3f}, {clock() - began_s:.0f} s")
                self._save()
        self._save()
        return self.progress

    def _step(self) -> None:
        """Look at some pairs, and add up how their looks differ."""
        rng = np.random.default_rng((self.plan.seed, 2, self.progress.step))
        places = self._pairs(rng)
        faces = [self.sources.pictures[place] for place in rng.choice(self.sources.parts, 8)]
        views = [view(self.sources.pictures[place], rng, faces=faces) for place in places]
        with torch.no_grad():
            seen = self.net.settled(tensor(views, SIDE_PX)).double()
        apart = (seen[0::2] - seen[1::2]).view(2, self.plan.n_pairs_a_step, -1)
        self._scatters += apart.transpose(1, 2) @ apart / 2

    def _pairs(self, rng: np.random.Generator) -> list[int]:
        """Choose two levels of some games each, then some parts of real frames, each twice."""
        n = self.plan.n_pairs_a_step
        games = rng.choice(len(self.sources.games), n, replace=False)
        levels = [int(place) for game in games for place in rng.choice(self.sources.games[game], 2, replace=False)]
        return levels + [int(place) for place in np.repeat(rng.choice(self.sources.parts, n, replace=False), 2)]

    def _within(self) -> Tensor:
        """How looks at one thing vary, shape (n_seen, n_seen): both kinds count alike, a variance of 1 in the mean."""
        n_seen = self._scatters.shape[1]
        traces = self._scatters.diagonal(dim1=1, dim2=2).sum(1).clamp(min=1e-12)
        return (self._scatters / traces[:, None, None]).mean(0) * n_seen

    def _save(self) -> None:
        values, vectors = torch.linalg.eigh(self._within())
        evened = (vectors * (values.clamp(min=0.0) + self.plan.damping).rsqrt()) @ vectors.T
        with torch.no_grad():
            self.net.join.weight.copy_(evened)
        state = {
            "plan": asdict(self.plan),
            "net": self.net.state_dict(),
            "scatters": self._scatters,
            "step": self.progress.step,
            "history": self.progress.history,
        }
        save_state(state, self.folder / LAST_FILE)
        save_history(self.folder, self.progress.history)


def load_net(folder: Path) -> FrameNet:
    """Read the network of a run's folder.

    Raises:
        DataError: there is none.
    """
    state = read_state(folder / LAST_FILE)
    net = FrameNet()
    net.load_state_dict(state["net"])
    net.eval()
    return net
