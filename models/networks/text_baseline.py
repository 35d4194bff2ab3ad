"""The bar that the text network must clear: TF-IDF of runs of one to three characters and logistic regression, on the same rows.

Needs scikit-learn, which only the packages of the group `train` bring.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.data import HEADS, Row
from models.scores import Floats, auc

STRENGTHS = (1.0, 4.0)
"""Inverse regularisations tried; the validation side chooses, answer by answer."""

MAX_FEATURES = 400_000


class Baseline:
    """A fitted baseline; `scores` gives a probability for each answer."""

    def __init__(self, train: Sequence[Row], valid: Sequence[Row]) -> None:
        """Fit on the training rows.

        Args:
            train: what the network learnt from too.
            valid: chooses the regularisation.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._features: Any = TfidfVectorizer(
            analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True, max_features=MAX_FEATURES, dtype=np.float32
        )
        seen = self._features.fit_transform([row.text for row in train])
        checked = self._features.transform([row.text for row in valid])
        self._models = [self._fit(head, (seen, train), (checked, valid)) for head in range(len(HEADS))]

    def scores(self, rows: Sequence[Row]) -> Floats:
        """Return probabilities, shape (n, 2), in the order of `HEADS`."""
        features = self._features.transform([row.text for row in rows])
        return np.stack([model.predict_proba(features)[:, 1] for model in self._models], axis=1)

    @staticmethod
    def _fit(head: int, train: tuple[Any, Sequence[Row]], valid: tuple[Any, Sequence[Row]]) -> Any:
        from sklearn.linear_model import LogisticRegression

        (features, targets), (checked, wanted) = (_known(head, *side) for side in (train, valid))
        models = [LogisticRegression(C=strength, solver="liblinear").fit(features, targets) for strength in STRENGTHS]
        return max(models, key=lambda model: auc(model.predict_proba(checked)[:, 1], wanted))


def _known(head: int, features: Any, rows: Sequence[Row]) -> tuple[Any, Floats]:
    """Return the rows whose answer is known."""
    places = [place for place, row in enumerate(rows) if row.targets[head] is not None]
    # It knows no half truths: what is presumed counts in full.
    return features[places], np.array([round(rows[place].targets[head] or 0.0) for place in places], np.float64)
