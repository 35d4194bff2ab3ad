"""Training of the text network: one thread, fixed seeds, a checkpoint after every epoch, early stopping on the validation side.

An epoch's randomness comes from the run's seed and the epoch's number alone, so a run that was stopped and resumed ends where an
unbroken one does. Calibration and figures are `evaluate.py`, the ONNX file is `export.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from models.data import Part, Row, Source, alphabet_of, for_training
from models.errors import DataError
from models.networks.checkpoints import draw_near, must_match, read_state, save_history, save_state, weight_groups
from models.networks.text import TextNet, TextShape
from models.networks.text_answers import answers_of, best_trust, validation_scores
from models.networks.text_batches import Encoded, EncodedRows
from models.networks.text_linear import LinearFit
from models.scores import Floats
from models.text_codec import FIRST, N_STRANGERS, Alphabet

log = logging.getLogger(__name__)

Tell = Callable[[str], None]
"""Told one line at a time how a run goes."""

LAST_FILE, BEST_FILE = "last.pt", "best.pt"

WEIGHTS = {Source.COLD: 1.0, Source.SWSR: 1.0, Source.DAVIDSON: 0.5, Source.DANMAKU: 1.0}
"""What a row of each source counts; the tweets were picked by their slurs and count less."""
PRESUMED_ABUSE = 3.0
"""What one of the few danmaku counts that are taken for insults."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The numbers of one run; kept with its checkpoints."""

    n_epochs: int = 8
    """The learning rate falls to nothing over these, also where the run ends earlier."""
    n_rows: int = 256
    """Rows of a step."""
    rate: float = 2e-3
    decay: float = 0.02
    noise: float = 0.08
    """Share of characters that are replaced by strangers while training."""
    smoothing: float = 0.03
    """How far targets are drawn in from 0 and 1: many labels were given by a machine."""
    average: float = 0.995
    """Weight of the past in the running mean of the weights, which is what is kept."""
    patience: int = 4
    """Epochs without a better validation score after which the run ends."""
    seed: int = 7


@dataclass
class Progress:
    """Where a run stands."""

    epoch: int = 0
    """Epochs done."""
    best: float = -1.0
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


class Run:
    """One training run in a folder of its own."""

    def __init__(self, rows: Sequence[Row], folder: Path, plan: Plan, shape: TextShape | None = None) -> None:
        learnt = for_training(rows)
        valid = [row for row in rows if row.part is Part.VALID]
        if not learnt or not valid:
            raise DataError(f"{len(learnt)} rows to train on and {len(valid)} to validate on; there must be some of both")
        self.folder = folder
        self.plan = plan
        self.alphabet = alphabet_of(learnt)
        self.shape = shape or TextShape(len(self.alphabet))
        self.progress = Progress()
        self._rows = learnt
        self._train = EncodedRows(learnt, self.alphabet)
        self._weights = torch.tensor([_weight(row) for row in learnt])
        self._targets = torch.from_numpy(self._train.targets)
        self._valid_rows = valid
        self._valid = EncodedRows(valid, self.alphabet, every_window=True)
        self._linear: Floats | None = None
        torch.set_num_threads(1)
        torch.manual_seed(plan.seed)
        self.net = TextNet(self.shape)
        texts = self._train.ids
        targets = np.where(np.isin(self._train.targets, (0.0, 1.0)), self._train.targets, np.nan).astype(np.float32)
        self.net.take(LinearFit(texts, targets, alphabet=self.alphabet, n_buckets=self.shape.n_grams).fit())
        self.mean = TextNet(self.shape)
        self.mean.load_state_dict(self.net.state_dict())
        self._optimizer = torch.optim.AdamW(
            # Characters stay as large as they are learnt: most are rare.
            weight_groups(self.net, plan.decay, still=lambda name: name.startswith("characters")),
            lr=plan.rate,
            betas=(0.9, 0.98),
        )
        self.n_steps = max(1, len(learnt) // plan.n_rows)

    def resume(self) -> bool:
        """Go on from the folder's last checkpoint; False where there is none.

        Raises:
            DataError: the checkpoint is of another plan, shape or alphabet.
        """
        path = self.folder / LAST_FILE
        if not path.is_file():
            return False
        state = read_state(path)
        must_match(path, state, {"plan": asdict(self.plan), "shape": asdict(self.shape), "alphabet": self.alphabet.characters})
        self.net.load_state_dict(state["net"])
        self.mean.load_state_dict(state["mean"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])
        return True

    def train(
        self, *, budget_s: float | None = None, tell: Tell = log.info, clock: Callable[[], float] = time.monotonic
    ) -> Progress:
        """Train to the plan's end, to early stopping, or until another epoch would not fit the budget.

        Args:
            budget_s: seconds; None for no limit.
            tell: given a line after every epoch.
            clock: monotonic seconds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        started_s = clock()
        longest_s = 0.0
        while self.progress.epoch < self.plan.n_epochs and not self._stale():
            epoch_s = clock()
            if budget_s is not None and longest_s and epoch_s - started_s + longest_s > budget_s:
                tell(f"time is up after {self.progress.epoch} epochs; go on with --resume")
                break
            loss = self._epoch()
            tell(self._judge(loss, clock() - epoch_s))
            longest_s = max(longest_s, clock() - epoch_s)
        return self.progress

    def _stale(self) -> bool:
        return self.progress.epoch - self.progress.best_epoch >= self.plan.patience and self.progress.epoch > 0

    def _epoch(self) -> float:
        epoch = self.progress.epoch
        torch.manual_seed(self.plan.seed * 1009 + epoch)
        self.net.train()
        total = 0.0
        for index, step in enumerate(self._train.steps(n_rows=self.plan.n_rows, seed=(self.plan.seed, epoch))):
            self._set_rate((epoch + index / self.n_steps) / self.plan.n_epochs)
            self._optimizer.zero_grad(set_to_none=True)
            loss = torch.stack([self._loss(block) for block in step]).sum() / self.plan.n_rows
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self._optimizer.step()
            self._average(epoch * self.n_steps + index)
            total += loss.item()
        return total / self.n_steps

    def _set_rate(self, done: float) -> None:
        """Rise over the first twentieth, then fall in a straight line."""
        share = min(1.0, done / 0.05 + 0.01) * max(0.0, 1.0 - done)
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate * share

    def _loss(self, block: Encoded) -> Tensor:
        ids = _disturbed(torch.from_numpy(block.ids), self.plan.noise)
        targets = self._targets[torch.from_numpy(block.places)]
        known = ~torch.isnan(targets)
        wanted = torch.nan_to_num(targets) * (1.0 - 2.0 * self.plan.smoothing) + self.plan.smoothing
        places = torch.from_numpy(block.places)
        # The deep part alone: beside the linear one, which knows the training texts by heart, it would learn nothing.
        losses = F.binary_cross_entropy_with_logits(self.net.deep(ids), wanted, reduction="none")
        weights = self._weights[places].unsqueeze(1)
        return (losses * known * weights).sum()

    def _average(self, n_done: int) -> None:
        draw_near(self.mean, self.net, n_done=n_done, past=self.plan.average)

    def _trusted(self) -> dict[str, float]:
        """Weigh the linear part beside the deep one on the validation side, and score both together there."""
        self.mean.eval()
        if self._linear is None:
            self._linear = answers_of(self.mean.linear, self._valid)
        deep = answers_of(self.mean.deep, self._valid)
        self.mean.trust.copy_(torch.tensor(best_trust(deep, self._linear, self._valid_rows)))
        return validation_scores(answers_of(self.mean, self._valid), self._valid_rows)

    def _judge(self, loss: float, took_s: float) -> str:
        """Score the averaged weights on the validation side, keep them where they are the best so far, write the checkpoint.

        Returns:
            a line that says so.
        """
        scores = self._trusted()
        score = float(np.mean(list(scores.values())))
        progress = self.progress
        progress.epoch += 1
        progress.history.append({"epoch": progress.epoch, "loss": loss, "seconds": round(took_s, 1), "score": score, **scores})
        better = score > progress.best
        if better:
            progress.best, progress.best_epoch = score, progress.epoch
        state: dict[str, Any] = {
            "plan": asdict(self.plan),
            "shape": asdict(self.shape),
            "alphabet": self.alphabet.characters,
            "mean": self.mean.state_dict(),
        }
        if better:
            save_state(state, self.folder / BEST_FILE)
        rest = {"net": self.net.state_dict(), "optimizer": self._optimizer.state_dict(), "progress": asdict(progress)}
        save_state({**state, **rest}, self.folder / LAST_FILE)
        save_history(self.folder, progress.history)
        return f"epoch {progress.epoch}: loss {loss:.4f}, {_shown(scores)}, {took_s:.0f} s"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The best network of a run."""

    net: TextNet
    alphabet: Alphabet


def load_best(folder: Path) -> Trained:
    """Read the best network of a run's folder.

    Raises:
        DataError: there is none.
    """
    state = read_state(folder / BEST_FILE)
    net = TextNet(TextShape(**state["shape"]))
    net.load_state_dict(state["mean"])
    net.eval()
    return Trained(net, Alphabet(state["alphabet"]))


def _weight(row: Row) -> float:
    return PRESUMED_ABUSE if row.source is Source.DANMAKU and row.targets[0] else WEIGHTS[row.source]


def _disturbed(ids: Tensor, share: float) -> Tensor:
    """Replace a share of the characters by strangers, so that no single one decides."""
    hit = (torch.rand(ids.shape) < share) & (ids >= FIRST)
    strangers = torch.randint(1, N_STRANGERS + 1, ids.shape, dtype=ids.dtype)
    return torch.where(hit, strangers, ids)


def _shown(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {score:.4f}" for name, score in scores.items())
