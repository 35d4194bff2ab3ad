from __future__ import annotations

import numpy as np
import pytest

from inference.errors import ConfigError
from inference.testing import FakeSession
from inference.vision.ctc import PROBABILITIES, SYMBOLS, CtcAlphabet, GreedySession

ALPHABET = CtcAlphabet(["微", "信", "a"])


def read(*symbols: int, score: float = 0.5) -> str:
    return ALPHABET.read(np.array(symbols, np.int32), np.full(len(symbols), score, np.float32)).text


def test_repeats_fall_together_and_blanks_fall_out() -> None:
    assert read(0, 1, 1, 0, 2, 2, 2, 0) == "微信"


def test_a_blank_between_equal_symbols_keeps_both() -> None:
    assert read(3, 0, 3, 3) == "aa"


def test_the_last_symbol_is_a_space() -> None:
    assert len(ALPHABET) == 5
    assert read(1, 4, 2) == "微 信"


def test_the_score_is_the_mean_of_the_kept_steps() -> None:
    reading = ALPHABET.read(np.array([0, 1, 1, 2], np.int32), np.array([1.0, 0.9, 0.1, 0.5], np.float32))
    assert reading.score == pytest.approx(0.7)


def test_a_line_of_blanks_is_empty_and_scores_nothing() -> None:
    reading = ALPHABET.read(np.zeros(5, np.int32), np.ones(5, np.float32))
    assert (reading.text, reading.score) == ("", 0.0)


def test_an_empty_alphabet_is_refused() -> None:
    with pytest.raises(ConfigError, match="character"):
        CtcAlphabet([])


def test_the_session_answers_with_the_best_symbol_and_its_probability() -> None:
    steps = np.array([[[0.1, 0.7, 0.2], [0.6, 0.3, 0.1]], [[0.0, 0.0, 1.0], [0.2, 0.5, 0.3]]], np.float32)
    session = GreedySession(FakeSession(compute=lambda _: {"y": steps}), "y")
    answer = session.run({"x": np.zeros((2, 3, 48, 96), np.float32)})
    assert answer[SYMBOLS].tolist() == [[1, 0], [2, 1]]
    assert answer[PROBABILITIES].tolist() == [pytest.approx([0.7, 0.6]), pytest.approx([1.0, 0.5])]
    assert answer[SYMBOLS].dtype == np.int32
