"""Training of the acoustic model on a GPU, by the clock: talk is mixed on the device, every utterance in two voices at once.

What the network answers to one voice must be what it answers to the other (consistency, after CR-CTC, arXiv 2410.05101), so it
learns what people have in common. The learning rate follows the time that is used; checkpoints are those of `speech_train.py`.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.networks.checkpoints import draw_near, save_history, save_state, weight_groups
from models.networks.speech import SpeechNet, SpeechShape
from models.networks.speech_mixing import DeviceMixer, MixedBatch
from models.networks.speech_train import BEST_FILE, Judge, SpeechProgress, Tell
from models.speech_codec import BLANK
from models.speech_timing import Timing

log = logging.getLogger(__name__)

EPOCH_STEPS = 100
"""Steps that are called an epoch."""

LARGE = SpeechShape(width=320, n_blocks=12, kernel=9, n_maps=16, dropout=0.1)
"""What a GPU has the time for."""

_AHEAD = 6
"""Timings that are drawn ahead of the device."""


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """The numbers of one run."""

    budget_s: float = 400.0
    """Seconds of training; the learning rate falls to nothing over them."""
    n_sound: int = 120_000
    """Feature frames of a step in all, both voices: 20 minutes."""
    n_frames: tuple[int, int, int] = (60, 250, 850)
    """Feature frames of the shortest, middle and longest utterances."""
    short: float = 0.3
    """Share of steps with utterances below the middle."""
    rate: float = 2.5e-3
    decay: float = 0.05
    halfway: float = 0.3
    """What the answer from the middle of the network counts."""
    consistency: float = 0.2
    """What a difference between the answers to two voices counts, after the first tenth of the time."""
    skipped: float = 0.1
    """Share of clips that pass by the last block; by the first none."""
    average: float = 0.998
    """How much of the averaged weights each step keeps."""
    judge_s: float = 30.0
    """Seconds between measurements on what was kept out."""
    tell_s: float = 10.0
    seed: int = 1


@dataclass(slots=True)
class _Since:
    """What happened since the last line."""

    n_steps: int = 0
    sound_s: float = 0.0
    losses: list[Tensor] = field(default_factory=list)


class DeviceRun:
    """One run in one folder."""

    def __init__(self, mixer: DeviceMixer, judge: Judge, folder: Path, plan: DevicePlan, shape: SpeechShape = LARGE) -> None:
        """Set a run up; the arguments are those of `SpeechRun`."""
        self.folder, self.plan, self.shape = folder, plan, shape
        self.progress = SpeechProgress()
        self.n_steps, self.hours = 0, 0.0
        self._mixer, self._judge, self._device = mixer, judge, mixer.pool.device
        torch.manual_seed(plan.seed)
        self.net = SpeechNet(shape).to(self._device)
        self.mean = SpeechNet(shape).to(self._device)
        self.mean.load_state_dict(self.net.state_dict())
        self.mean.eval()
        for place, block in enumerate(self.net.blocks):
            block.skipped = plan.skipped * place / max(1, shape.n_blocks - 1)
        fused = self._device.type == "cuda"
        self._optimizer = torch.optim.AdamW(weight_groups(self.net, plan.decay), lr=plan.rate, betas=(0.9, 0.98), fused=fused)
        self._good = _copied(self.mean)
        """The averaged weights that were best so far."""

    def __repr__(self) -> str:
        n_weights = sum(one.numel() for one in self.net.parameters())
        return f"DeviceRun({n_weights / 1e6:.2f} M weights, {self.plan.n_sound} frames a step, {self.plan.budget_s:.0f} s)"

    def write_convolutions(self, *, by_shifts: bool) -> None:
        """Have convolutions computed in one way or the other; the answers are the same but for rounding."""
        for block in self.net.blocks:
            block.by_shifts = by_shifts

    def step_s(self, n_steps: int, clock: Callable[[], float] = time.monotonic) -> float:
        """Try some steps and return how long one takes; the first do not count."""
        self.net.train()
        started_s, loss = clock(), torch.zeros(())
        for number, timing in zip(range(n_steps), self._timings(), strict=False):
            if number == n_steps // 2:
                float(loss)
                started_s = clock()
            loss = self.step(self._mixer.mixed(timing), 0.01)
        float(loss)
        return (clock() - started_s) / (n_steps - n_steps // 2)

    def train(
        self, *, meanwhile: Callable[[], None] = lambda: None, tell: Tell = log.info, clock: Callable[[], float] = time.monotonic
    ) -> SpeechProgress:
        """Train until the budget is used.

        Args:
            meanwhile: called every few seconds, between steps: to take clips that were made.
            tell: given a line every few seconds.
            clock: monotonic seconds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        plan, started_s = self.plan, clock()
        told_s = judged_s = started_s
        since = _Since()
        self.net.train()
        for timing in self._timings():
            share = (clock() - started_s) / plan.budget_s
            if share >= 1.0:
                break
            self._note(since, self.step(self._mixer.mixed(timing), share), timing)
            now_s = clock()
            if now_s - told_s >= plan.tell_s:
                tell(f"{now_s - started_s:.0f} s: {self._line(since, now_s - told_s)}")
                since, told_s = _Since(), now_s
                meanwhile()
            if now_s - judged_s >= plan.judge_s:
                tell(self.judged(now_s - started_s))
                judged_s = clock()
        tell(self.judged(clock() - started_s))
        return self.progress

    def step(self, batch: MixedBatch, share: float) -> Tensor:
        """Learn from a batch; returns the loss, on the device.

        Args:
            batch: what to learn from.
            share: of the budget that is used, 0..1.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate * rate_at(share)
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(batch, min(1.0, 10.0 * share))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self._optimizer.step()
        self._average()
        return loss.detach()

    def _loss(self, batch: MixedBatch, share: float) -> Tensor:
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            answer = self.net(batch.features)
        loss = ctc(answer.log_probs, batch) + self.plan.halfway * ctc(answer.halfway, batch)
        return loss + self.plan.consistency * share * apart(answer.log_probs, batch)

    def _average(self) -> None:
        draw_near(self.mean, self.net, n_done=self.n_steps, past=self.plan.average)

    def _timings(self) -> Iterator[Timing]:
        """Yield what is spoken in each step, drawn ahead on a thread."""
        ahead: deque[Future[Timing]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="timings") as pool:
            try:
                number = 0
                while True:
                    while len(ahead) < _AHEAD:
                        ahead.append(pool.submit(self._drawn, number))
                        number += 1
                    yield ahead.popleft().result()
            finally:
                for one in ahead:
                    one.cancel()

    def _drawn(self, number: int) -> Timing:
        rng = np.random.default_rng((self.plan.seed, number))
        low, middle, high = self.plan.n_frames
        longest = int(rng.integers(low, middle) if rng.random() < self.plan.short else rng.integers(middle, high + 1))
        return self._mixer.timed(max(2, self.plan.n_sound // longest // 2), longest, rng)

    def _note(self, since: _Since, loss: Tensor, timing: Timing) -> None:
        self.n_steps += 1
        sound_s = 2.0 * float(timing.n_frames.sum()) / 100.0
        self.hours += sound_s / 3600.0
        since.n_steps += 1
        since.sound_s += sound_s
        since.losses.append(loss)

    def _line(self, since: _Since, took_s: float) -> str:
        loss = float(torch.stack(since.losses).mean())
        if not math.isfinite(loss):
            self._go_back()
        return (
            f"step {self.n_steps}, loss {loss:.3f}, {since.n_steps / took_s:.1f} steps a second, "
            f"{since.sound_s / took_s:.0f} s of sound a second, {self._mixer.pool.hours:.1f} h of clips"
        )

    def _go_back(self) -> None:
        """Go on from the best weights: a loss that is no number has spoilt those at hand."""
        for net in (self.net, self.mean):
            net.load_state_dict(self._good)
        self._optimizer.state.clear()

    def judged(self, now_s: float) -> str:
        """Measure the averaged weights, keep them where they are the best so far; return a line on it."""
        scores = {f"{name}": error for name, error in self._judge(self.mean).items()}
        score, progress = float(np.mean(list(scores.values()))), self.progress
        progress.epoch = self.n_steps // EPOCH_STEPS
        row = {"epoch": progress.epoch, "seconds": round(now_s, 1), "hours": self.hours, "score": score, **scores}
        progress.history.append(row)
        if math.isfinite(score) and score <= progress.best:
            progress.best, progress.best_epoch = score, progress.epoch
            state: dict[str, Any] = {"plan": asdict(self.plan), "shape": asdict(self.shape), "epoch": progress.epoch}
            self._good = _copied(self.mean)
            save_state({**state, "hours": self.hours, "mean": self._good}, self.folder / BEST_FILE)
        save_history(self.folder, progress.history)
        return f"{now_s:.0f} s, step {self.n_steps}: " + ", ".join(f"{name} {error:.4f}" for name, error in scores.items())


def _copied(net: SpeechNet) -> dict[str, Tensor]:
    """Return the weights on the CPU, where every machine can read them."""
    return {name: one.detach().cpu().clone() for name, one in net.state_dict().items()}


def rate_at(share: float) -> float:
    """Return the learning rate, of the highest: up over 3 % of the time, level to 40 %, then down in a straight line."""
    return max(1e-3, min(1.0, share / 0.03, (1.0 - share) / 0.6))


def ctc(log_probs: Tensor, batch: MixedBatch) -> Tensor:
    """Return the mean loss of a unit."""
    losses = F.ctc_loss(
        log_probs.transpose(0, 1),
        batch.units,
        batch.n_answers,
        batch.n_units,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    counted = (batch.n_units > 0).to(losses.device)
    return (losses * counted).sum() / max(1, int(batch.n_units.sum()))


def apart(log_probs: Tensor, batch: MixedBatch) -> Tensor:
    """Return how far the answers to two voices of the same are apart, each way, for a unit; neither is right, both give way."""
    one, other = log_probs.chunk(2)
    n_rows, n_answers = one.shape[:2]
    counted = torch.arange(n_answers)[None] < batch.n_answers[:n_rows, None]
    counted = counted.to(log_probs.device)[:, :, None]

    def away(of: Tensor, still: Tensor) -> Tensor:
        still = still.detach()
        return ((still.exp() * (still - of)) * counted).sum()

    return 0.5 * (away(one, other) + away(other, one)) / max(1, int(batch.n_units[:n_rows].sum()))
