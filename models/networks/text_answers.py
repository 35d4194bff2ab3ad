"""What a text network answers on rows, and how good that is: areas under the curve, and how much its linear part must be trusted.

Figures for people, with thresholds and slices, are `evaluate.py`; these here steer the training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from models.data import HEADS, Row, Source
from models.networks.text import TextNet
from models.networks.text_batches import EncodedRows
from models.scores import Floats, auc
from models.text_codec import Alphabet

KNOWN = ((Source.COLD, 0), (Source.SWSR, 1), (Source.DAVIDSON, 0), (Source.DAVIDSON, 1))
"""Which answers people gave in which source, by the place in `HEADS`."""


def validation_scores(logits: Floats, rows: Sequence[Row], answers: Sequence[int] = (0, 1)) -> dict[str, float]:
    """Return the area under the curve of each labelled source and answer that is known there."""
    scores: dict[str, float] = {}
    for source, head in KNOWN:
        places = [place for place, row in enumerate(rows) if row.source is source and row.targets[head] is not None]
        targets = np.array([rows[place].targets[head] for place in places], np.float64)
        area = auc(logits[places, head], targets)
        if head in answers and not np.isnan(area):
            scores[f"{source}.{HEADS[head]}"] = area
    return scores


def best_trust(deep: Floats, linear: Floats, rows: Sequence[Row]) -> list[float]:
    """Return for each answer how much the linear logits must count beside the deep ones for the best validation scores."""

    def score(head: int, step: float) -> float:
        return float(np.mean(list(validation_scores(deep + step * linear, rows, (head,)).values())))

    steps = [float(step) for step in np.linspace(0.0, 2.0, 21)]
    return [max(steps, key=partial(score, head)) for head in range(len(HEADS))]


def logits_of(net: TextNet, rows: Sequence[Row], alphabet: Alphabet) -> Floats:
    """Return the network's logits of rows, shape (n, 2), in their order; of a long one those of its worst window."""
    net.eval()
    return answers_of(net, EncodedRows(rows, alphabet, every_window=True))


def answers_of(part: Callable[[Tensor], Tensor], encoded: EncodedRows) -> Floats:
    """Return the logits of a network or a part of it, shape (n, 2), those of each row's worst window."""
    logits = np.zeros((len(encoded), len(HEADS)))
    with torch.no_grad():
        for start in range(0, len(encoded), 512):
            for block in encoded.by_length(np.arange(start, min(start + 512, len(encoded)))):
                logits[block.places] = part(torch.from_numpy(block.ids)).numpy()
    return np.asarray(np.maximum.reduceat(logits, encoded.starts, axis=0))
