"""Training of the acoustic model: one thread, made-up talk that never repeats, a checkpoint after every few minutes.

An epoch is a fixed number of steps; its randomness comes from the run's seed and the epoch's number alone, so a run that was
stopped and resumed goes on as an unbroken one would. Figures are `speech_evaluate.py`, the ONNX file is `speech_export.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.checkpoints import draw_near, must_match, read_state, save_history, save_state, weight_groups
from models.networks.speech import SpeechNet, SpeechShape
from models.speech_codec import BLANK, N_MELS
from models.speech_mix import Example, Mixer, fits

log = logging.getLogger(__name__)

Tell = Callable[[str], None]
"""Told one line at a time how a run goes."""

Judge = Callable[[SpeechNet], dict[str, float]]
"""Measures a network on what was kept out of training; unit error by name."""

LAST_FILE, BEST_FILE = "last.pt", "best.pt"


@dataclass(frozen=True, slots=True)
class SpeechPlan:
    """The numbers of one run; kept with its checkpoints."""

    n_epochs: int = 150
    """The learning rate falls to nothing over these; a resumed run may have more."""
    n_steps: int = 100
    """Steps of an epoch."""
    n_sound: int = 6600
    """Feature frames of a step in all, 66 s: few long utterances, or many short ones."""
    n_frames: tuple[int, int, int] = (60, 250, 850)
    """Feature frames of the shortest, middle and longest utterances; those of a step are about equally long."""
    short: float = 0.35
    """Share of steps with utterances below the middle."""
    rate: float = 2e-3
    decay: float = 0.02
    halfway: float = 0.3
    """What the answer from the middle of the network counts."""
    average: float = 0.998
    """How much of the averaged weights each step keeps."""
    seed: int = 1


@dataclass(slots=True)
class SpeechProgress:
    """How far a run is."""

    epoch: int = 0
    best: float = float("inf")
    """Lowest mean unit error so far."""
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class SpeechRun:
    """One training run in one folder."""

    def __init__(
        self, mixer: Mixer, judge: Judge, folder: Path, plan: SpeechPlan | None = None, shape: SpeechShape | None = None
    ) -> None:
        """Set a run up.

        Args:
            mixer: draws what to learn from.
            judge: measures after every epoch.
            folder: for checkpoints.
            plan: numbers of the run.
            shape: sizes of the network.
        """
        self.folder, self.plan, self.shape = folder, plan or SpeechPlan(), shape or SpeechShape()
        self.progress = SpeechProgress()
        self._mixer, self._judge = mixer, judge
        torch.set_num_threads(1)
        torch.manual_seed(self.plan.seed)
        self.net = SpeechNet(self.shape)
        self.mean = SpeechNet(self.shape)
        self.mean.load_state_dict(self.net.state_dict())
        self.mean.eval()
        self._optimizer = torch.optim.AdamW(weight_groups(self.net, self.plan.decay), lr=self.plan.rate, betas=(0.9, 0.98))

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint; False where there is none.

        Raises:
            DataError: the checkpoint is of another plan or shape; only the number of epochs may differ.
        """
        path = self.folder / LAST_FILE
        if not path.is_file():
            return False
        state = read_state(path)
        mine = {"plan": {**asdict(self.plan), "n_epochs": state["plan"]["n_epochs"]}, "shape": asdict(self.shape)}
        must_match(path, state, mine)
        self.net.load_state_dict(state["net"])
        self.mean.load_state_dict(state["mean"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.progress = SpeechProgress(**state["progress"])
        return True

    def train(
        self, *, budget_s: float | None = None, tell: Tell = log.info, clock: Callable[[], float] = time.monotonic
    ) -> SpeechProgress:
        """Train to the plan's end, or until another epoch would not fit the budget.

        Args:
            budget_s: seconds; None for no limit.
            tell: given a line after every epoch.
            clock: monotonic seconds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        started_s = clock()
        longest_s = 0.0
        while self.progress.epoch < self.plan.n_epochs:
            epoch_s = clock()
            if budget_s is not None and longest_s and epoch_s - started_s + longest_s > budget_s:
                tell(f"time is up after {self.progress.epoch} epochs; go on with --resume")
                break
            loss = self._epoch()
            tell(self._judged(loss, clock() - epoch_s))
            longest_s = max(longest_s, clock() - epoch_s)
        return self.progress

    def _epoch(self) -> float:
        epoch, plan = self.progress.epoch, self.plan
        torch.manual_seed(plan.seed * 1009 + epoch)
        rng = np.random.default_rng((plan.seed, epoch))
        self.net.train()
        total = 0.0
        for index in range(plan.n_steps):
            self._set_rate((epoch + index / plan.n_steps) / plan.n_epochs, epoch * plan.n_steps + index)
            self._optimizer.zero_grad(set_to_none=True)
            loss = self._loss(self._drawn(rng))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self._optimizer.step()
            self._average(epoch * plan.n_steps + index)
            total += loss.item()
        return total / plan.n_steps

    def _drawn(self, rng: np.random.Generator) -> list[Example]:
        low, middle, high = self.plan.n_frames
        longest = int(rng.integers(low, middle) if rng.random() < self.plan.short else rng.integers(middle, high + 1))
        examples: list[Example] = []
        while len(examples) < max(2, min(64, self.plan.n_sound // longest)):
            one = self._mixer.example(longest, rng)
            if fits(one):
                examples.append(one)
        return examples

    def _set_rate(self, done: float, n_done: int) -> None:
        """Rise over the first steps, stay for half of the run, then fall in a straight line."""
        share = min(1.0, (n_done + 1) / 400) * min(1.0, max(0.0, 2.0 * (1.0 - done)))
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate * share

    def _loss(self, examples: list[Example]) -> Tensor:
        batch = Batch.of(examples)
        # Half the bits: the matrices are twice as fast on CPUs that know bfloat16, and the losses stay in full precision.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer = self.net(batch.features)
        whole = _ctc(answer.log_probs, batch)
        return whole + self.plan.halfway * _ctc(answer.halfway, batch)

    def _average(self, n_done: int) -> None:
        draw_near(self.mean, self.net, n_done=n_done, past=self.plan.average)

    def _judged(self, loss: float, took_s: float) -> str:
        """Measure the averaged weights, keep them where they are the best so far, write the checkpoint; return a line on it."""
        # Plain names: a checkpoint holds nothing that must be imported to be read.
        scores = {f"{name}": error for name, error in self._judge(self.mean).items()}
        score = float(np.mean(list(scores.values())))
        progress = self.progress
        progress.epoch += 1
        progress.history.append({"epoch": progress.epoch, "loss": loss, "seconds": round(took_s, 1), "score": score, **scores})
        better = score <= progress.best
        if better:
            progress.best, progress.best_epoch = score, progress.epoch
        state: dict[str, Any] = {"plan": asdict(self.plan), "shape": asdict(self.shape), "mean": self.mean.state_dict()}
        if better:
            save_state({**state, "epoch": progress.epoch}, self.folder / BEST_FILE)
        rest = {"net": self.net.state_dict(), "optimizer": self._optimizer.state_dict(), "progress": asdict(progress)}
        save_state({**state, **rest}, self.folder / LAST_FILE)
        save_history(self.folder, progress.history)
        return f"epoch {progress.epoch}: loss {loss:.3f}, " + ", ".join(f"{name} {score:.3f}" for name, score in scores.items())


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Utterances side by side, shorter ones with silence behind."""

    features: Tensor
    """(B, n, N_MELS)"""
    n_answers: Tensor
    """Posterior frames of each, (B,)."""
    units: Tensor
    """Of all, one after the other."""
    n_units: Tensor
    """(B,)"""

    @classmethod
    def of(cls, examples: list[Example]) -> Batch:
        """Put utterances side by side."""
        longest = max(len(one.features) for one in examples)
        features = np.zeros((len(examples), longest, N_MELS), np.float32)
        for row, one in zip(features, examples, strict=True):
            row[: len(one.features)] = one.features
        return cls(
            torch.from_numpy(features),
            torch.tensor([-(-len(one.features) // 4) for one in examples]),
            torch.tensor([unit for one in examples for unit in one.units]),
            torch.tensor([len(one.units) for one in examples]),
        )


def _ctc(log_probs: Tensor, batch: Batch) -> Tensor:
    """Return the mean loss of a unit."""
    losses = F.ctc_loss(
        log_probs.transpose(0, 1), batch.units, batch.n_answers, batch.n_units, blank=BLANK, reduction="sum", zero_infinity=True
    )
    return losses / batch.n_units.sum()


@dataclass(frozen=True, slots=True, eq=False)
class TrainedSpeech:
    """The best network of a run."""

    net: SpeechNet
    epoch: int


def load_best_speech(folder: Path) -> TrainedSpeech:
    """Read the best network of a run's folder.

    Raises:
        DataError: there is none.
    """
    state = read_state(folder / BEST_FILE)
    net = SpeechNet(SpeechShape(**state["shape"]))
    net.load_state_dict(state["mean"])
    net.eval()
    return TrainedSpeech(net, state["epoch"])
