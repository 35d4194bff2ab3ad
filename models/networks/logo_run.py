"""Training of the logo networks against the clock: scenes come as they are made, batches are drawn on the device.

Beside `logo_train.py`, which counts rounds on one core, this one is for a graphics card and processes that make scenes without end;
it runs on a CPU too. What it leaves in the folder is read by `load_nets`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.errors import DataError
from models.logo_cache import SceneCache
from models.networks.checkpoints import draw_near, must_match, read_state, save_history, save_state, weight_groups
from models.networks.logo import LogoNets, LogoShape, Told
from models.networks.logo_draws import draw_pairs, draw_windows
from models.networks.logo_losses import Others, Wanted, finder_loss, teller_loss
from models.networks.logo_reader import Reader
from models.networks.logo_store import DeviceScenes
from models.networks.logo_train import LAST_FILE

RESUME_FILE = "resume.pt"
"""What going on needs beside the averaged networks of `last.pt`."""
WIDE = LogoShape((16, 32, 64, 112, 160), (32, 56, 112, 176))
"""Networks that are worth a graphics card."""
_POLL_S = 0.3
"""How long to wait for the first scenes before the clock is looked at again."""
_MOST_TAKEN = 2
"""Groups at most that are taken in before a step."""


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """The numbers of one run; kept with its checkpoints."""

    n_windows: int = 64
    n_pairs: int = 512
    n_none: int = 160
    """Places without a mark beside the pairs."""
    n_views: int = 2
    """Views whose mean a mark is enrolled by."""
    n_tells: int = 2
    """Steps of the teller for each of the finder."""
    n_others: int = 16384
    """Marks of earlier batches that places are told apart from, too."""
    n_scenes: int = 8000
    """Newest scenes that are kept on the device."""
    n_first: int = 24
    """Groups that must be there before the first step."""
    rate: float = 2e-3
    decay: float = 0.02
    falling: float = 0.6
    """Last share of the time over which the rate falls."""
    average: float = 0.999
    """Weight of the past in the running mean of the weights, which is what is kept."""
    seed: int = 11
    kept_s: float = 55.0
    """Time between checkpoints."""
    told_s: float = 10.0
    """Time between lines about how it goes."""


@dataclass
class DeviceProgress:
    """Where a run stands."""

    n_steps: int = 0
    seconds: float = 0.0
    """Trained, all calls together."""
    history: list[dict[str, float]] = field(default_factory=list)


class DeviceRun:
    """One training run in a folder of its own."""

    def __init__(self, folder: Path, cache: SceneCache, plan: DevicePlan, device: str, shape: LogoShape = WIDE) -> None:
        """Set up.

        Args:
            folder: of the run.
            cache: where scenes are, or come.
            plan: the run's numbers.
            device: torch's name of it.
            shape: of the networks.
        """
        self.folder, self.cache, self.plan, self.shape = folder, cache, plan, shape
        self.device = torch.device(device)
        self.progress = DeviceProgress()
        torch.manual_seed(plan.seed)
        torch.set_float32_matmul_precision("high")
        self.net = LogoNets(shape).to(self.device, memory_format=torch.channels_last)
        self.mean = LogoNets(shape).to(self.device)
        self.mean.load_state_dict(self.net.state_dict())
        fused = {"fused": True} if self.device.type == "cuda" else {}
        self._optimizer = torch.optim.AdamW(weight_groups(self.net, plan.decay), lr=plan.rate, betas=(0.9, 0.98), **fused)
        self._others = Others(torch.zeros((0, shape.n_numbers)).to(self.device), torch.zeros(0, dtype=torch.int64).to(self.device))
        self._random = np.random.default_rng(plan.seed)
        self._sums = torch.zeros(3, device=self.device)

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint; False where there is none.

        Raises:
            DataError: the checkpoint is of another shape.
        """
        if not (self.folder / RESUME_FILE).is_file():
            return False
        state = read_state(self.folder / RESUME_FILE, device=self.device)
        mean = read_state(self.folder / LAST_FILE, device=self.device)
        must_match(self.folder / LAST_FILE, mean, {"shape": asdict(self.shape)})
        self.net.load_state_dict(state["net"])
        self.mean.load_state_dict(mean["mean"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.progress = DeviceProgress(**state["progress"])
        self._random = np.random.default_rng(self.plan.seed + self.progress.n_steps)
        return True

    def train(self, *, budget_s: float, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> DeviceProgress:
        """Train for a time, the rate falling to nothing at its end.

        Args:
            budget_s: seconds, the wait for the first scenes among them.
            tell: given a line now and then.
            clock: monotonic seconds.

        Raises:
            DataError: no scene came in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        started_s = clock()
        reader = Reader(self.cache)
        try:
            scenes = self._first_scenes(reader, lambda: clock() - started_s < budget_s / 2)
            tell(f"{len(scenes)} scenes after {clock() - started_s:.1f} s")
            self._steps(scenes, reader, (started_s, budget_s), tell, clock)
        finally:
            reader.close()
        return self.progress

    def _first_scenes(self, reader: Reader, in_time: Callable[[], bool]) -> DeviceScenes:
        scenes: DeviceScenes | None = None
        n_groups = 0
        while n_groups < self.plan.n_first and in_time():
            group = reader.take(wait_s=_POLL_S)
            if group is None:
                continue
            n_groups += 1
            if scenes is None:
                rows, columns = group[0].planes.shape[1:]
                scenes = DeviceScenes(self.plan.n_scenes, (rows, columns), self.device, seed=self.plan.seed)
            scenes.add(group)
        if scenes is None or not scenes.n_marks:
            raise DataError(f"no scenes in {self.cache.folder}; make some first, or ask for workers")
        return scenes

    def _steps(
        self,
        scenes: DeviceScenes,
        reader: Reader,
        time_s: tuple[float, float],
        tell: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        started_s, budget_s = time_s
        before_s, told_s, kept_s, n_told = self.progress.seconds, clock(), clock(), self.progress.n_steps
        self.net.train()
        while (spent_s := clock() - started_s) < budget_s:
            for group in filter(None, (reader.take() for _ in range(_MOST_TAKEN))):
                scenes.add(group)
            self._set_rate((before_s + spent_s) / (before_s + budget_s))
            self._step(scenes)
            self.progress.seconds = before_s + clock() - started_s
            if clock() - told_s >= self.plan.told_s:
                tell(self._line(scenes, self.progress.n_steps - n_told, clock() - told_s))
                told_s, n_told = clock(), self.progress.n_steps
            if clock() - kept_s >= self.plan.kept_s:
                self.keep()
                kept_s = clock()
        if self.progress.n_steps > n_told:
            tell(self._line(scenes, self.progress.n_steps - n_told, max(clock() - told_s, 1e-3)))
        self.keep()

    def _step(self, scenes: DeviceScenes) -> None:
        loss = self._finder_loss(scenes)
        self._sums[0] += loss.detach()
        self._learn(loss, self.net.finder)
        for _ in range(self.plan.n_tells):
            loss = self._teller_loss(scenes)
            self._sums[1] += loss.detach() / self.plan.n_tells
            self._learn(loss, self.net.teller)
        self.progress.n_steps += 1
        self._average()

    def _finder_loss(self, scenes: DeviceScenes) -> Tensor:
        batch = draw_windows(scenes, self._random, self.plan.n_windows)
        with torch.autocast(self.device.type, torch.bfloat16):
            found = self.net.finder(batch.planes.to(memory_format=torch.channels_last))
        return finder_loss(found, batch.marks, batch.sides)

    def _teller_loss(self, scenes: DeviceScenes) -> Tensor:
        batch = draw_pairs(scenes, self._random, n=self.plan.n_pairs, n_none=self.plan.n_none, n_views=self.plan.n_views)
        n, k = batch.enrolled.shape[:2]
        both = torch.cat((batch.seen, batch.enrolled.flatten(0, 1)))
        with torch.autocast(self.device.type, torch.bfloat16):
            told = self.net.teller(both.to(memory_format=torch.channels_last))
        seen, views = told.split(len(batch.seen))
        mean = F.normalize(views.numbers.view(n, k, -1).mean(dim=1), dim=1)
        enrolled = Told(mean, views.mark[:n], views.moves[:n])
        loss = teller_loss(seen, enrolled, Wanted(batch.seeds, batch.moves, batch.judged), self._others)
        with torch.no_grad():
            like = seen.numbers[:n] @ mean.T
            self._sums[2] += (like.argmax(dim=1) == torch.arange(n, device=self.device)).float().mean() / self.plan.n_tells
        kept = self.plan.n_others
        numbers = torch.cat((mean.detach(), self._others.numbers))[:kept]
        self._others = Others(numbers, torch.cat((batch.seeds, self._others.seeds))[:kept])
        return loss

    def _learn(self, loss: Tensor, net: torch.nn.Module) -> None:
        """Change one of the networks: the other has no gradients, and stays."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        self._optimizer.step()

    def _set_rate(self, done: float) -> None:
        """Rise over the first fiftieth of the time, stay, fall over the last part."""
        share = min(1.0, done / 0.02 + 0.05) * min(1.0, max(0.0, 1.0 - done) / self.plan.falling)
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate * share

    def _average(self) -> None:
        draw_near(self.mean, self.net, n_done=self.progress.n_steps, past=self.plan.average)

    def _line(self, scenes: DeviceScenes, n: int, took_s: float) -> str:
        finder, teller, picked = (float(value) / n for value in self._sums.tolist())
        self._sums.zero_()
        row = {"step": self.progress.n_steps, "finder": finder, "teller": teller, "picked": picked, "scenes": scenes.n_added}
        self.progress.history.append({**row, "seconds": round(self.progress.seconds, 1)})
        return (
            f"{self.progress.seconds:.0f} s, step {self.progress.n_steps}: finder {finder:.4f}, teller {teller:.4f}, "
            f"picked {picked:.3f}, {scenes.n_added} scenes, {n / took_s:.2f} steps/s"
        )

    def keep(self) -> None:
        """Write the checkpoint: the averaged networks, and what going on needs."""
        state: dict[str, Any] = {"net": self.net.state_dict(), "optimizer": self._optimizer.state_dict()}
        weights = {name: value.cpu() for name, value in self.mean.state_dict().items()}
        mean = {"plan": asdict(self.plan), "shape": asdict(self.shape), "mean": weights}
        for name, what in ((RESUME_FILE, {**state, "progress": asdict(self.progress)}), (LAST_FILE, mean)):
            save_state(what, self.folder / name)
        save_history(self.folder, self.progress.history)
