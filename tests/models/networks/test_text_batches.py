from __future__ import annotations

import numpy as np

from models.data import Part, Row, Source
from models.networks.text_batches import EncodedRows
from models.text_codec import Alphabet

ALPHABET = Alphabet("abc")
ROWS = [Row("a" * n_characters, Source.COLD, Part.TRAIN, (1.0, None)) for n_characters in (3, 40, 5, 200, 17, 128)]


def test_rows_are_laid_out_by_length_and_each_is_there_once():
    blocks = EncodedRows(ROWS, ALPHABET).by_length(np.arange(6))

    assert [block.ids.shape for block in blocks] == [(2, 16), (1, 32), (1, 64), (2, 128)]
    assert sorted(place for block in blocks for place in block.places.tolist()) == list(range(6))
    assert blocks[0].places.tolist() == [0, 2]


def test_an_unknown_answer_is_no_number():
    targets = EncodedRows(ROWS, ALPHABET).targets

    assert targets[:, 0].tolist() == [1.0] * 6
    assert np.isnan(targets[:, 1]).all()


def test_an_epochs_order_comes_from_its_seed_alone():
    rows = EncodedRows(ROWS, ALPHABET)

    def order(seed: tuple[int, int]) -> list[list[int]]:
        return [[int(place) for block in step for place in block.places] for step in rows.steps(n_rows=2, seed=seed)]

    assert order((7, 1)) == order((7, 1))
    assert order((7, 1)) != order((7, 2))
    assert sorted(place for step in order((7, 1)) for place in step) == list(range(6))


def test_a_step_that_would_be_smaller_is_left_out_unless_it_is_the_only_one():
    rows = EncodedRows(ROWS, ALPHABET)

    assert len(list(rows.steps(n_rows=4, seed=(0, 0)))) == 1
    assert len(list(rows.steps(n_rows=100, seed=(0, 0)))) == 1
