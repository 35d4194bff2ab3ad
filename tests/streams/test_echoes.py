"""An utterance is heard in two windows and counts once."""

from __future__ import annotations

from inference.samples import Modality
from inference.verdicts import Decision, Finding, Heard, Judged
from streams.echoes import MAX_REMEMBERED, Echoes


def said(
    start_s: float, end_s: float, *, label: str = "ads.contact", decision: Decision = Decision.REVIEW, detector: str = "spotting"
) -> Judged:
    finding = Finding(label, 0.8, Modality.AUDIO, detector, start_s, heard=Heard(start_s, end_s, "jia wei xin"))
    return Judged(finding, decision, "*", 2, "warn")


def test_the_same_words_heard_in_the_next_window_are_an_echo():
    echoes = Echoes()

    assert len(echoes.fresh("r", "s", [said(6.0, 6.8)])) == 1
    assert echoes.fresh("r", "s", [said(6.04, 6.84)]) == ()


def test_said_again_later_is_no_echo():
    echoes = Echoes()
    echoes.fresh("r", "s", [said(6.0, 6.8)])

    assert len(echoes.fresh("r", "s", [said(6.8, 7.6), said(9.0, 9.7)])) == 2


def test_what_is_judged_more_harshly_now_counts():
    echoes = Echoes()
    echoes.fresh("r", "s", [said(6.0, 6.8, decision=Decision.PASS)])

    assert len(echoes.fresh("r", "s", [said(6.0, 6.8)])) == 1
    assert echoes.fresh("r", "s", [said(6.0, 6.8)]) == ()


def test_another_label_detector_broadcast_or_room_is_no_echo():
    echoes = Echoes()
    echoes.fresh("r", "s", [said(6.0, 6.8)])

    assert len(echoes.fresh("r", "s", [said(6.0, 6.8, label="ads.divert"), said(6.0, 6.8, detector="asr")])) == 2
    assert len(echoes.fresh("r", "s2", [said(6.0, 6.8)])) == 1
    assert len(echoes.fresh("q", "s", [said(6.0, 6.8)])) == 1


def test_what_was_not_heard_passes_as_it_is_and_a_forgotten_room_begins_anew():
    echoes = Echoes()
    seen = Judged(Finding("ads.qr_code", 0.9, Modality.IMAGE, "codes"), Decision.REVIEW, "*", 3, "warn")
    echoes.fresh("r", "s", [said(6.0, 6.8)])

    assert echoes.fresh("r", "s", [seen, seen]) == (seen, seen)
    echoes.forget("r")
    assert len(echoes.fresh("r", "s", [said(6.0, 6.8)])) == 1


def test_only_so_many_utterances_are_remembered():
    echoes = Echoes()
    for number in range(MAX_REMEMBERED + 1):
        echoes.fresh("r", "s", [said(number * 2.0, number * 2.0 + 1)])

    assert len(echoes.fresh("r", "s", [said(0.0, 1.0)])) == 1
    assert echoes.fresh("r", "s", [said(MAX_REMEMBERED * 2.0, MAX_REMEMBERED * 2.0 + 1)]) == ()
