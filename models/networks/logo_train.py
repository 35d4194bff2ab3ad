"""Training of the logo networks: both in turns, one thread, fixed seeds, a checkpoint after every round, resumable.

A round's randomness comes from the run's seed and the round's number. Scenes are made while training where the folder holds fewer
than wanted. Figures are `logo_evaluate.py`, the ONNX files are `logo_export.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from models.errors import DataError
from models.logo_cache import SceneCache
from models.logo_fonts import Part
from models.networks.checkpoints import draw_near, must_match, read_state, save_history, save_state, weight_groups
from models.networks.logo import LogoNets, LogoShape
from models.networks.logo_batches import Pool
from models.networks.logo_losses import Others, Wanted, finder_loss, teller_loss

log = logging.getLogger(__name__)

LAST_FILE = "last.pt"
SCENES_FOLDER = "scenes"


@dataclass(frozen=True, slots=True)
class LogoPlan:
    """The numbers of one run; kept with its checkpoints. All but the number of rounds must stay when a run goes on."""

    n_rounds: int = 80
    """The learning rate is level for most of these and falls in a straight line over the last part."""
    n_steps: int = 60
    """Steps of each network in a round."""
    n_windows: int = 16
    n_pairs: int = 72
    n_none: int = 20
    """Places without a mark beside the pairs."""
    n_others: int = 2048
    """Marks of earlier batches that places are told apart from, too."""
    n_groups: int = 40
    """Groups of scenes in memory at a time."""
    n_renewed: int = 15
    """Groups that are exchanged in a round."""
    rate: float = 2e-3
    decay: float = 0.02
    falling: float = 0.3
    """Last share of the rounds over which the rate falls."""
    average: float = 0.998
    """Weight of the past in the running mean of the weights, which is what is kept."""
    seed: int = 11


@dataclass
class LogoProgress:
    """Where a run stands."""

    done: int = 0
    """Rounds done."""
    history: list[dict[str, float]] = field(default_factory=list)


class LogoRun:
    """One training run in a folder of its own."""

    def __init__(self, folder: Path, scenes: Path, plan: LogoPlan, shape: LogoShape | None = None) -> None:
        self.folder = folder
        self.plan = plan
        self.shape = shape or LogoShape()
        self.progress = LogoProgress()
        self.cache = SceneCache(scenes, Part.TRAIN)
        torch.set_num_threads(1)
        torch.manual_seed(plan.seed)
        self.net = LogoNets(self.shape).to(memory_format=torch.channels_last)  # twice as fast as the other order on a CPU
        self.mean = LogoNets(self.shape)
        self.mean.load_state_dict(self.net.state_dict())
        self._optimizer = torch.optim.AdamW(weight_groups(self.net, plan.decay), lr=plan.rate, betas=(0.9, 0.98))
        self._n_steps = 0
        self._others = Others(torch.zeros((0, self.shape.n_numbers)), torch.zeros(0, dtype=torch.int64))

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint; False where there is none.

        Raises:
            DataError: the checkpoint is of another plan or shape.
        """
        path = self.folder / LAST_FILE
        if not path.is_file():
            return False
        state = read_state(path)
        plan = {**asdict(self.plan), "n_rounds": state["plan"]["n_rounds"]}
        must_match(path, state, {"plan": plan, "shape": asdict(self.shape)})
        self.net.load_state_dict(state["net"])
        self.mean.load_state_dict(state["mean"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.progress = LogoProgress(**state["progress"])
        self._n_steps = state["n_steps"]
        return True

    def train(
        self, *, budget_s: float | None = None, tell: Callable[[str], None] = log.info, clock: Callable[[], float] = time.monotonic
    ) -> LogoProgress:
        """Train to the plan's end, or until another round would not fit the budget.

        Args:
            budget_s: seconds; None for no limit.
            tell: given a line after every round.
            clock: monotonic seconds.

        Raises:
            DataError: there is no scene to train on.
        """
        if not len(self.cache):
            raise DataError(f"no scenes in {self.cache.folder}; make some first")
        self.folder.mkdir(parents=True, exist_ok=True)
        started_s, longest_s = clock(), 0.0
        while self.progress.done < self.plan.n_rounds:
            round_s = clock()
            if budget_s is not None and longest_s and round_s - started_s + longest_s > budget_s:
                tell(f"time is up after {self.progress.done} rounds; go on with --resume")
                break
            losses = self._round()
            longest_s = max(longest_s, clock() - round_s)
            tell(self._keep(losses, clock() - round_s))
        return self.progress

    def _round(self) -> tuple[float, float]:
        done = self.progress.done
        torch.manual_seed(self.plan.seed * 1009 + done)
        random = Random(self.plan.seed * 1009 + done)
        pool = self._pool(random, done)
        self.net.train()
        finder = teller = 0.0
        for step in range(self.plan.n_steps):
            self._set_rate((done + step / self.plan.n_steps) / self.plan.n_rounds)
            if step % max(1, self.plan.n_steps // max(1, self.plan.n_renewed)) == 0:
                pool.renew()
            finder += self._step(self._finder_loss(pool, random))
            teller += self._step(self._teller_loss(pool, random))
        return finder / self.plan.n_steps, teller / self.plan.n_steps

    def _pool(self, random: Random, done: int) -> Pool:
        # Kept between rounds of one process, made anew after a pause: which scenes are in memory is the only thing a pause changes.
        if not hasattr(self, "_kept_pool"):
            self._kept_pool = Pool(self.cache, random, n_groups=self.plan.n_groups)
        return self._kept_pool

    def _finder_loss(self, pool: Pool, random: Random) -> Tensor:
        batch = pool.windows(random, self.plan.n_windows)
        planes = torch.from_numpy(batch.planes).float().to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            found = self.net.finder(planes)
        return finder_loss(found, torch.from_numpy(batch.marks), torch.from_numpy(batch.sides))

    def _teller_loss(self, pool: Pool, random: Random) -> Tensor:
        batch = pool.pairs(random, n=self.plan.n_pairs, n_none=self.plan.n_none)
        both = torch.cat((torch.from_numpy(batch.seen), torch.from_numpy(batch.enrolled)))
        with torch.autocast("cpu", torch.bfloat16):
            told = self.net.teller(both.to(memory_format=torch.channels_last))
        seen, enrolled = told.split(len(batch.seen))
        wanted = Wanted(torch.from_numpy(batch.seeds), torch.from_numpy(batch.moves), torch.from_numpy(batch.judged))
        loss = teller_loss(seen, enrolled, wanted, self._others)
        self._remember(enrolled.numbers.detach(), wanted.seeds)
        return loss

    def _remember(self, numbers: Tensor, seeds: Tensor) -> None:
        """Keep what was enrolled last; a pause forgets it, and some batches later it is there again."""
        others = self._others
        kept = self.plan.n_others
        self._others = Others(torch.cat((numbers, others.numbers))[:kept], torch.cat((seeds, others.seeds))[:kept])

    def _step(self, loss: Tensor) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self._optimizer.step()
        self._n_steps += 1
        self._average()
        return float(loss.item())

    def _set_rate(self, done: float) -> None:
        """Rise over the first hundredth, stay, fall over the last part."""
        share = min(1.0, done / 0.01 + 0.05) * min(1.0, max(0.0, 1.0 - done) / self.plan.falling)
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate * share

    def _average(self) -> None:
        draw_near(self.mean, self.net, n_done=self._n_steps, past=self.plan.average)

    def _keep(self, losses: tuple[float, float], took_s: float) -> str:
        """Write the checkpoint.

        Returns:
            a line that says how the round went.
        """
        progress = self.progress
        progress.done += 1
        progress.history.append({"round": progress.done, "finder": losses[0], "teller": losses[1], "seconds": round(took_s, 1)})
        state: dict[str, Any] = {"plan": asdict(self.plan), "shape": asdict(self.shape), "mean": self.mean.state_dict()}
        rest = {"net": self.net.state_dict(), "optimizer": self._optimizer.state_dict(), "progress": asdict(progress)}
        save_state({**state, **rest, "n_steps": self._n_steps}, self.folder / LAST_FILE)
        save_history(self.folder, progress.history)
        return f"round {progress.done}: finder {losses[0]:.4f}, teller {losses[1]:.4f}, {len(self.cache)} groups, {took_s:.0f} s"


def load_nets(folder: Path) -> LogoNets:
    """Read the averaged networks of a run's folder.

    Raises:
        DataError: there are none.
    """
    state = read_state(folder / LAST_FILE)
    net = LogoNets(LogoShape(**state["shape"]))
    net.load_state_dict(state["mean"])
    net.eval()
    return net
