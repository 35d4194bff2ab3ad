from __future__ import annotations

import numpy as np
import pytest

from models.data import MAX_CHARACTERS
from models.networks.text_linear import BUCKET_FACTORS, N_PRINTS, ORDERS, PRINT_FACTORS, LinearFit, runs_of
from models.text_codec import FIRST, PAD, Alphabet

N_BUCKETS = 4096
LETTERS = "abcdefghx甲乙"


def test_a_texts_runs_are_its_characters_pairs_triples_and_fours():
    runs = runs_of(np.array([5, 6, PAD, PAD], np.int32), 1 << 30)

    expected = [sum(number * factor for number, factor in zip(run, row, strict=True)) for row, run in ROWS]
    assert runs.buckets.tolist() == [number % (1 << 30) for number in expected]
    assert len(runs.prints) == len(runs.buckets)


ROWS = [
    (row, run)
    for row, size in zip(BUCKET_FACTORS, ORDERS, strict=True)
    for run in ((0, 0, 0, 0, 5)[-size:], (0, 0, 0, 5, 6)[-size:])
]


@pytest.mark.parametrize("n_characters", [0, 1, 2, 3])
def test_a_very_short_text_has_its_runs_too(n_characters):
    assert len(runs_of(np.full(n_characters, 9, np.int32), N_BUCKETS).buckets) == 4 * n_characters


@pytest.mark.parametrize("factors", [*BUCKET_FACTORS, *PRINT_FACTORS])
def test_the_hashes_of_the_largest_alphabet_stay_within_31_bits(factors):
    assert (FIRST + MAX_CHARACTERS - 1) * sum(factors) < 2**31


@pytest.fixture
def texts():
    """200 texts of made-up letters; those with an x are the bad ones."""
    pytest.importorskip("sklearn", reason="scikit-learn is in the dependency group train only")
    rng = np.random.default_rng(2)
    words = ["".join(rng.choice(list("abcdefgh甲乙"), 12)) + ("xx" if number % 2 else "") for number in range(200)]
    return [Alphabet(LETTERS).encode(word) for word in words], (np.arange(200) % 2).astype(np.float32)


def fit_of(ids, *answers) -> LinearFit:
    return LinearFit(ids, np.stack(answers, axis=1), alphabet=Alphabet(LETTERS), n_buckets=N_BUCKETS)


def test_runs_that_are_rare_own_no_bucket_and_frequent_ones_weigh_less(texts):
    ids, bad = texts
    linear = fit_of(ids, bad, bad).fit()

    assert 0 < (linear.prints >= 0).sum() < N_BUCKETS
    assert ((linear.prints >= 0) == (linear.rarity > 0)).all()
    assert linear.prints.max() < N_PRINTS
    often, seldom = (owner(linear, text) for text in ("甲", "xx"))
    assert linear.rarity[often] < linear.rarity[seldom]


def owner(linear, text: str) -> int:
    """Bucket of the longest run of a text, which must own it."""
    runs = runs_of(Alphabet(LETTERS).encode(text), N_BUCKETS)
    place = len(text) * len(text) - 1
    assert linear.prints[runs.buckets[place]] == runs.prints[place]
    return int(runs.buckets[place])


def test_unknown_answers_are_not_learnt(texts):
    ids, bad = texts
    half = np.where(np.arange(200) < 100, bad, np.nan).astype(np.float32)

    known = fit_of(ids, half, bad).fit()

    assert np.isfinite(known.weights).all()
    assert not np.allclose(known.weights[:, 0], known.weights[:, 1])


def test_the_network_answers_as_the_fit_does(texts):
    torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")
    from models.networks.text import TextNet, TextShape

    ids, bad = texts
    fit = fit_of(ids, bad, 1.0 - bad)
    net = TextNet(TextShape(len(Alphabet(LETTERS)), width=8, n_blocks=1, n_pairs=64, n_grams=N_BUCKETS, n_looks=2))
    net.take(fit.fit())

    with torch.no_grad():
        answered = net.linear(torch.from_numpy(np.stack(ids))).numpy()

    model = fit.model(0)
    np.testing.assert_allclose(answered[:, 0], model.decision_function(fit.features), rtol=1e-3, atol=1e-3)
    assert ((answered[:, 0] > 0) == (bad > 0)).mean() > 0.95
