"""m of n: which samples of one detector agree, on what, and for how long."""

from dataclasses import replace

import pytest

from inference.rules import Rule
from inference.samples import Modality
from inference.verdicts import Decision, Finding, Judged
from streams.temporal import HIT_AGE_S, Hit, HitWindow

TWO_OF_THREE = Rule(review=0.5, block=0.8, hits=2, window=3)


def hit(pts_s: float, score: float = 0.6, modality: Modality = Modality.IMAGE) -> Hit:
    finding = Finding("porn.nudity", score, modality, "porn")
    return Hit(pts_s, Judged(finding, TWO_OF_THREE.decision(score), "*", 3, "warn"))


def filled(*samples: Hit | None, rule: Rule = TWO_OF_THREE) -> HitWindow:
    window = HitWindow()
    for sample in samples:
        if sample is None:
            window.miss()
        else:
            window.add(sample, rule)
    return window


def test_an_empty_window_agrees_on_nothing():
    assert HitWindow().agreed(TWO_OF_THREE) is None
    assert HitWindow().is_stale(0.0)


def test_without_a_newest_hit_only_numbers_agree():
    number = Rule(review=0.5, block=0.8, hits=1, window=2, sure=0.5)
    only = hit(0.0, 0.9)
    window = filled(only, None, rule=number)

    assert window.agreed(number) is only
    assert window.agreed(replace(number, hits=2)) is None
    assert [window.is_stale(now_s) for now_s in (120.0, 120.1)] == [False, True]


def test_the_oldest_sample_leaves_when_the_window_is_full():
    window = filled(hit(0), None, None, hit(6))

    assert list(window.samples) == [None, None, hit(6)]
    assert window.agreed(TWO_OF_THREE) is None


@pytest.mark.parametrize(
    ("scores", "decision"),
    [((0.6, 0.6), Decision.REVIEW), ((0.9, 0.6), Decision.REVIEW), ((0.9, 0.6, 0.9), Decision.BLOCK), ((0.9,), None)],
)
def test_they_agree_on_the_harshest_decision_that_m_of_them_reach(scores: tuple[float, ...], decision: Decision | None):
    carrying = filled(*(hit(2.0 * n, score) for n, score in enumerate(scores))).agreed(TWO_OF_THREE)

    assert (carrying and carrying.decision) == decision


def test_the_hit_with_the_highest_score_of_that_decision_carries_it():
    assert filled(hit(0, 0.7), hit(2, 0.6), hit(4, 0.95)).agreed(TWO_OF_THREE) == hit(0, 0.7)


def test_a_sure_hit_needs_nobody_while_it_is_the_newest():
    rule = Rule(review=0.5, block=0.8, hits=2, window=3, sure=0.7)

    assert filled(hit(0, 0.7), rule=rule).agreed(rule) == hit(0, 0.7)
    assert filled(hit(0, 0.69), rule=rule).agreed(rule) is None
    assert filled(hit(0, 0.7), None, rule=rule).agreed(rule) is None


def test_a_sure_review_does_not_make_two_blocks_milder():
    rule = Rule(review=0.5, block=0.9, hits=2, window=3, sure=0.7)
    window = filled(hit(0, 0.95), hit(2, 0.95), hit(4, 0.75), rule=rule)

    carrying = window.agreed(rule)
    assert carrying is not None
    assert carrying.decision is Decision.BLOCK


def test_a_message_needs_nobody():
    assert filled(hit(0, 0.6, Modality.TEXT)).agreed(TWO_OF_THREE) == hit(0, 0.6, Modality.TEXT)


def test_hits_too_far_apart_are_not_counted_together():
    window = filled(hit(0), hit(HIT_AGE_S + 1))

    assert window.hits == [hit(HIT_AGE_S + 1)]


def test_a_late_sample_that_is_too_old_does_not_count():
    assert filled(hit(HIT_AGE_S + 1), hit(0)).hits == [hit(HIT_AGE_S + 1)]


def test_a_window_is_stale_when_no_hit_could_agree_with_one_of_now():
    window = filled(hit(10), None)

    assert [window.is_stale(now_s) for now_s in (10 + HIT_AGE_S, 10.1 + HIT_AGE_S)] == [False, True]
