from __future__ import annotations

from random import Random

from streams.backoff import Backoff


def test_pauses_double_up_to_the_longest_with_jitter():
    backoff = Backoff(budget_s=1e9, rng=Random(1))
    pauses = [backoff.failed(now_s=float(step)) for step in range(12)]

    assert all(0.5 * min(30, 0.5 * 2**step) <= pause <= min(30, 0.5 * 2**step) for step, pause in enumerate(pauses))
    assert len({round(pause, 6) for pause in pauses}) == len(pauses)


def test_the_budget_ends_it_and_success_refills_it():
    backoff = Backoff(budget_s=60.0, rng=Random(1))
    assert backoff.failed(now_s=0.0) is not None
    assert backoff.failed(now_s=59.9) is not None
    backoff.succeeded()
    assert backoff.failed(now_s=100.0) <= 0.5
    assert backoff.failed(now_s=159.9) is not None

    assert backoff.failed(now_s=160.0) is None
    assert backoff.n_failures == 3
