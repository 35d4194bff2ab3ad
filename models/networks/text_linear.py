"""The linear part of the text network: runs of one to four characters, weighed by rarity, fitted by logistic regression.

The runs live in a hashed table; each bucket belongs to one run and holds its fingerprint, so that runs nobody has seen add nothing.
It is fitted on its own and never trained further: what it is good at, rare words, is what the deep part is bad at. Needs
scikit-learn and scipy (group `train`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.text_codec import PAD, Alphabet, Ids

ORDERS = (1, 2, 3, 4)
"""Characters of a run."""
BUCKET_FACTORS = ((65_599,), (340_007, 1), (120_011, 340_007, 1), (65_599, 120_011, 340_007, 1))
PRINT_FACTORS = ((31,), (8_191, 127), (4_093, 8_191, 127), (509, 4_093, 8_191, 127))
"""Multipliers of the hashes, first character first; with at most 4,064 characters every sum stays within 31 bits."""
N_PRINTS = 127
"""Fingerprints; one bucket in so many is taken for another's."""

MIN_TEXTS = 3
"""Training texts that a run must be in to get a bucket."""
STRENGTH = 4.0
"""Inverse regularisation of the logistic regression."""

Floats32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A fitted linear part; the logit of an answer is `sum(weights) / sqrt(sum(rarity ** 2)) + bias` over a text's known runs."""

    weights: Floats32
    """Weight times rarity by bucket and answer, (N, 2)."""
    rarity: Floats32
    """Inverse document frequency by bucket, (N,); 0 where it is nobody's."""
    prints: NDArray[np.int8]
    """Fingerprint of the run that a bucket belongs to, (N,); -1 where it is nobody's."""
    bias: Floats32
    """(2,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Every run of a text: the first T are its characters, then its pairs, triples and fours, shorter ones where it begins."""

    buckets: NDArray[np.int32]
    prints: NDArray[np.int32]


def runs_of(ids: Ids, n_buckets: int) -> Runs:
    """Hash the runs of a text, filling left out; both arrays have shape (4 * T,)."""
    whole = ids[ids != PAD]
    shifted = [np.concatenate((np.zeros(by, np.int32), whole))[: len(whole)] for by in range(len(ORDERS))]

    def hashed(factors: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        sums = [
            sum((shifted[len(row) - 1 - place] * np.int32(factor) for place, factor in enumerate(row)), np.zeros_like(whole))
            for row in factors
        ]
        return np.concatenate(sums)

    return Runs(hashed(BUCKET_FACTORS) % np.int32(n_buckets), hashed(PRINT_FACTORS) % np.int32(N_PRINTS))


class LinearFit:
    """The runs of the training rows, which of them are known, and the fit."""

    def __init__(self, texts: Sequence[Ids], targets: Floats32, *, alphabet: Alphabet, n_buckets: int) -> None:
        """Give buckets to runs and weigh them.

        Args:
            texts: numbers of each text, padded or not.
            targets: 1, 0 or NaN for unknown, (n, 2).
            alphabet: tells Latin letters, of which only longer runs say something.
            n_buckets: of the table.
        """
        from scipy.sparse import csr_matrix, diags

        self._targets = targets
        self._n_buckets = n_buckets
        runs = [runs_of(ids, n_buckets) for ids in texts]
        latin = alphabet.encode("abcdefghijklmnopqrstuvwxyz")
        owners, self._rarity = self._owners([_worthy(ids, run, latin) for ids, run in zip(texts, runs, strict=True)])
        self._prints = owners
        kept = [run.buckets[owners[run.buckets] == run.prints] for run in runs]
        starts = np.concatenate(([0], np.cumsum([len(row) for row in kept])))
        places = np.concatenate(kept)
        counts: Any = csr_matrix((np.ones(len(places), np.float32), places, starts), (len(kept), n_buckets))
        counts.sum_duplicates()
        norms = np.sqrt(np.maximum(counts @ (self._rarity**2), 1e-6))
        self.features: Any = (diags(1.0 / norms) @ counts @ diags(self._rarity)).tocsr()

    def fit(self) -> Linear:
        """Fit every answer on the rows where it is known."""
        models = [self.model(answer) for answer in range(self._targets.shape[1])]
        weights = np.stack([model.coef_[0] for model in models], axis=1) * self._rarity[:, None]
        bias = np.array([model.intercept_[0] for model in models], np.float32)
        return Linear(weights.astype(np.float32), self._rarity, self._prints, bias)

    def model(self, answer: int) -> Any:
        """Fit one answer."""
        from sklearn.linear_model import LogisticRegression

        known = ~np.isnan(self._targets[:, answer])
        model = LogisticRegression(C=STRENGTH, solver="liblinear", random_state=0)
        return model.fit(self.features[known], self._targets[known, answer])

    def _owners(self, worthy: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int8], Floats32]:
        """Give each bucket to the run that most texts have, and weigh it by how few have it."""
        keys, n_texts = np.unique(np.concatenate(worthy), return_counts=True)
        keys, n_texts = keys[n_texts >= MIN_TEXTS], n_texts[n_texts >= MIN_TEXTS]
        order = np.argsort(n_texts, kind="stable")  # the most frequent is written last and stays
        buckets = keys[order] // N_PRINTS
        prints = np.full(self._n_buckets, -1, np.int8)
        rarity = np.zeros(self._n_buckets, np.float32)
        prints[buckets] = keys[order] % N_PRINTS
        rarity[buckets] = np.log((1.0 + len(worthy)) / (1.0 + n_texts[order])) + 1.0
        return prints, rarity


def _worthy(ids: Ids, runs: Runs, latin: Ids) -> NDArray[np.int64]:
    """Return the runs of a text that may own a bucket, each once, as one number: no single Latin letters, fours of Latin only."""
    is_latin = np.isin(ids[ids != PAD], latin)
    fours = is_latin.copy()
    for by in range(1, len(ORDERS)):
        fours[by:] &= is_latin[:-by]
        fours[:by] = False
    every = np.ones(len(is_latin), bool)
    chosen = np.concatenate((~is_latin, every, every, fours))
    return np.unique(runs.buckets[chosen].astype(np.int64) * N_PRINTS + runs.prints[chosen])
