"""What one modality found may second what another finds a moment later."""

from __future__ import annotations

from inference.samples import Modality
from inference.verdicts import Decision, Finding, Judged
from streams.seconding import MAX_REMEMBERED, SECONDS_S, Seconding


def judged(label: str = "gambling.scene", decision: Decision = Decision.REVIEW) -> Judged:
    return Judged(Finding(label, 0.8, Modality.IMAGE, "gallery"), decision, "*", 3, "warn")


def test_what_did_not_pass_stands_beside_what_comes_within_half_a_minute():
    seconding = Seconding()
    seconding.note("r", "s", 10.0, [judged(), judged("ads.url", Decision.PASS)])

    assert [one.label for one in seconding.beside("r", "s", 10.0 + SECONDS_S)] == ["gambling.scene"]
    assert seconding.beside("r", "s", 10.1 + SECONDS_S) == ()


def test_other_rooms_and_broadcasts_second_nothing():
    seconding = Seconding()
    seconding.note("r", "s", 10.0, [judged()])

    assert seconding.beside("q", "s", 10.0) == ()
    assert seconding.beside("r", "t", 10.0) == ()
    seconding.forget("r")
    assert seconding.beside("r", "s", 10.0) == ()


def test_the_oldest_goes_where_a_room_has_too_many():
    seconding = Seconding()
    for number in range(MAX_REMEMBERED + 5):
        seconding.note("r", "s", 10.0, [judged(f"label{number}")])

    kept = [one.label for one in seconding.beside("r", "s", 10.0)]
    assert len(kept) == MAX_REMEMBERED
    assert kept[0] == "label5"
