"""Training of the picture network: one thread, fixed seeds, a checkpoint every few dozen steps, resumable.

Two things are learnt at once. From made-up games, which pictures belong together however a stream distorts them; from a public
backbone, how near any two sources are to each other (its centred cosines), so that what it knows of the world is kept. A step's
randomness comes from the run's seed and the step's number alone. The ONNX file is `export_image.py`.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import DataError
from models.image_ordinary import HELD_OUT, ordinary_frames
from models.image_titles import Pixels, Title
from models.image_views import CLIP_SUFFIXES, VIEW_SIZE, part_of_frame, read_clip, read_pictures, view
from models.networks.image import SIDE_PX, FrameNet, FrameShape

log = logging.getLogger(__name__)

Tell = Callable[[str], None]
NDArrayInt = np.ndarray[Any, np.dtype[np.int64]]

LAST_FILE, HISTORY_FILE = "last.pt", "history.json"
ORDINARY_FRAMES_FILE = "ordinary_frames.npy"
"""Frames that the exported network's gallery begins with, uint8 (n, S, S, 3)."""
BACKBONE = Path("backbone") / "mobilenet_v2_embed.onnx"
TEACHER_SIDE_PX = 224
EVERY = 50
"""Steps between two checkpoints."""

FIRST_TITLE = 10_000
"""Seed of the first made-up game that is learnt from; tests and benchmarks draw from below."""


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """The numbers of one run; kept with its checkpoints."""

    n_steps: int = 380
    n_whole: int = 20
    """Steps in which the early stages learn too; they cost three times as much and need little."""
    n_titles: int = 200
    n_levels: int = 8
    n_frames: int = 24
    """Frames taken of each clip."""
    n_parts: int = 10
    """Sources cut out of each frame or screenshot."""
    n_games_a_step: int = 10
    n_parts_a_step: int = 6
    rate: float = 1e-3
    """Of the new parts; the backbone's learn at a tenth."""
    decay: float = 0.05
    heat: float = 0.12
    """Temperature of telling apart."""
    likeness: float = 8.0
    """What keeping the backbone's distances counts."""
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
        self._wanted = self._ask_teacher(data / BACKBONE)
        self.net = FrameNet().to(memory_format=torch.channels_last)
        self.net.take_backbone(data / BACKBONE)
        self.net.settle(tensor(self.sources.pictures[:: max(1, len(self.sources.pictures) // 200)], SIDE_PX))
        new = [*self.net.join.parameters(), *self.net.colours.parameters()]
        known = {id(one) for one in new}
        old = [one for one in self.net.parameters() if id(one) not in known]
        self._optimizer = torch.optim.AdamW(
            [{"params": new, "share": 1.0}, {"params": old, "share": 0.1}], lr=plan.rate, weight_decay=plan.decay
        )

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint; False where there is none.

        Raises:
            DataError: the checkpoint is of another plan.
        """
        path = self.folder / LAST_FILE
        if not path.is_file():
            return False
        state = torch.load(path, weights_only=True)
        if state["plan"] != asdict(self.plan):
            raise DataError(f"{path} was made with another plan; train into a new folder, or without --resume")
        self.net.load_state_dict(state["net"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.progress = ImageProgress(state["step"], state["history"])
        return True

    def train(
        self, *, budget_s: float | None = None, tell: Tell = log.info, clock: Callable[[], float] = time.monotonic
    ) -> ImageProgress:
        """Train to the plan's end, or until time is up; tells a line and writes a checkpoint every `EVERY` steps."""
        began_s = clock()
        losses: list[float] = []
        while self.progress.step < self.plan.n_steps:
            if budget_s is not None and clock() - began_s > budget_s:
                tell(f"time is up after {self.progress.step} steps; go on with --resume")
                break
            losses.append(self._step())
            self.progress.step += 1
            if self.progress.step % EVERY == 0:
                self.progress.history.append({"step": self.progress.step, "loss": float(np.mean(losses))})
                tell(f"step {self.progress.step}: loss {np.mean(losses):.4f}, {clock() - began_s:.0f} s")
                losses.clear()
                self._save()
        self._save()
        return self.progress

    def _step(self) -> float:
        plan, step = self.plan, self.progress.step
        rng = np.random.default_rng((plan.seed, 2, step))
        places = self._places(rng)
        faces = [self.sources.pictures[place] for place in rng.choice(self.sources.parts, 8)]
        views = [view(self.sources.pictures[place], rng, faces=faces) for place in places]
        share = min(1.0, step / 50 + 0.02) * max(0.0, 1.0 - step / plan.n_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = plan.rate * share * group["share"]
        for stage in (self.net.stem, *self.net.stages[:3]):
            stage.requires_grad_(step < plan.n_whole)
        self._optimizer.zero_grad(set_to_none=True)
        found = self.net(tensor(views, SIDE_PX))
        loss = self._loss(found, places)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self._optimizer.step()
        return float(loss.item())

    def _places(self, rng: np.random.Generator) -> list[int]:
        """Choose two levels of some games, and some parts of real frames twice."""
        games = rng.choice(len(self.sources.games), self.plan.n_games_a_step, replace=False)
        levels = [int(place) for game in games for place in rng.choice(self.sources.games[game], 2, replace=False)]
        parts = [int(place) for place in rng.choice(self.sources.parts, self.plan.n_parts_a_step, replace=False)]
        return levels + parts + parts

    def _loss(self, found: Tensor, places: Sequence[int]) -> Tensor:
        """Tell games and parts apart, and keep the teacher's likenesses."""
        unit = F.normalize(found - found.mean(0).detach(), dim=1)
        cosines = unit @ unit.T
        groups = torch.from_numpy(self.sources.groups[list(places)])
        at = torch.tensor(places)
        alone = torch.eye(len(places), dtype=torch.bool)
        same = (groups[:, None] == groups[None]) & (groups[:, None] >= 0) | (at[:, None] == at[None])
        # Other parts of the same clip are neither the same nor different.
        doubtful = (groups[:, None] == groups[None]) & ~same
        logits = (cosines / self.plan.heat).masked_fill(alone | doubtful, -1e9)
        logs = logits - torch.logsumexp(logits, 1, keepdim=True)
        told = -(logs * (same & ~alone)).sum(1) / (same & ~alone).sum(1).clamp(min=1)
        wanted = self._wanted[at]
        likeness = F.mse_loss(cosines[~alone], (wanted @ wanted.T)[~alone])
        return told.mean() + self.plan.likeness * likeness

    def _ask_teacher(self, path: Path) -> Tensor:
        """Return the backbone's centred unit embeddings of all sources, (n, 320)."""
        shape = FrameShape()
        teacher = FrameNet(replace(shape, stages=(*shape.stages, (6, 320, 1, 1)), tapped=(6,)))
        teacher = teacher.to(memory_format=torch.channels_last)
        teacher.take_backbone(path)
        with torch.no_grad():
            found = torch.cat(
                [
                    teacher.seen(tensor(batch, TEACHER_SIDE_PX))[:, shape.n_colours :]
                    for batch in _batches(self.sources.pictures, 16)
                ]
            )
        return F.normalize(found - found.mean(0), dim=1)

    def _save(self) -> None:
        state = {
            "plan": asdict(self.plan),
            "net": self.net.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self.progress.step,
            "history": self.progress.history,
        }
        draft = self.folder / f"{LAST_FILE}.new"
        torch.save(state, draft)
        draft.replace(self.folder / LAST_FILE)
        (self.folder / HISTORY_FILE).write_text(json.dumps(self.progress.history, indent=1) + "\n", encoding="utf-8")


def load_net(folder: Path) -> FrameNet:
    """Read the network of a run's folder.

    Raises:
        DataError: there is none.
    """
    path = folder / LAST_FILE
    try:
        state = torch.load(path, weights_only=True)
    except OSError as exc:
        raise DataError(f"cannot read {path}: {exc.strerror}; train first, with --out {folder}") from exc
    net = FrameNet()
    net.load_state_dict(state["net"])
    net.eval()
    return net


def _batches(pictures: Sequence[Pixels], size: int) -> Iterator[Sequence[Pixels]]:
    for first in range(0, len(pictures), size):
        yield pictures[first : first + size]
