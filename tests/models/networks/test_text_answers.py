from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.data import Part, Row, Source  # noqa: E402
from models.networks.text_answers import answers_of, best_trust, validation_scores  # noqa: E402
from models.networks.text_batches import EncodedRows  # noqa: E402
from models.text_codec import Alphabet  # noqa: E402


def rows(source: Source, targets, n_rows: int = 40) -> list[Row]:
    return [Row(f"a{number}", source, Part.VALID, targets(number % 2)) for number in range(n_rows)]


TWEETS = rows(Source.DAVIDSON, lambda bad: (float(bad), float(bad)))
BAD = np.arange(40) % 2


def test_a_long_row_answers_by_its_worst_window_and_order_is_kept():
    encoded = EncodedRows(
        [Row(text, Source.COLD, Part.VALID, (None, None)) for text in ("a", "a" * 150 + "b", "b" * 3, "a" * 20)],
        Alphabet("ab"),
        every_window=True,
    )

    def n_bs(ids):
        return torch.stack(((ids == 65).sum(1), -ids.shape[1] * torch.ones(len(ids)))).T.float()

    assert answers_of(n_bs, encoded).tolist() == [[0.0, -16.0], [1.0, -64.0], [3.0, -16.0], [0.0, -32.0]]


def test_only_sources_where_the_answer_is_known_are_scored():
    logits = np.stack([BAD, 1 - BAD], axis=1).astype(float)

    assert validation_scores(logits, TWEETS) == {"davidson_en.offensive": 1.0, "davidson_en.hate": 0.0}
    assert validation_scores(logits, TWEETS, (1,)) == {"davidson_en.hate": 0.0}
    assert validation_scores(logits, rows(Source.DANMAKU, lambda bad: (0.0, 0.0))) == {}


def test_the_linear_part_is_trusted_where_it_helps_and_no_more_than_that():
    rng = np.random.default_rng(4)
    right = np.stack([BAD, BAD], axis=1) + rng.normal(0.0, 0.1, (40, 2))
    noise = rng.normal(0.0, 1.0, (40, 2))
    deep = np.stack([noise[:, 0], right[:, 1]], axis=1)
    linear = np.stack([right[:, 0] * 9.0, noise[:, 1] * 9.0], axis=1)

    helped, harmed = best_trust(deep, linear, TWEETS)

    assert helped > 0.3
    assert harmed == 0.0
