"""Counters are exact at the edge of their window and bounded whatever comes."""

from __future__ import annotations

import pytest

from inference.text.behaviour import MAX_KEY, Behaviour, BehaviourCounts


def test_repeats_are_counted_by_user_and_users_by_room():
    behaviour = Behaviour()
    behaviour.observe("1", "ann", "加微信", 0.0)
    behaviour.observe("1", "ann", "加微信", 1.0)
    behaviour.observe("2", "bob", "加微信", 1.0)

    assert behaviour.observe("1", "cy", "加微信", 2.0) == BehaviourCounts(1, 2)
    assert behaviour.observe("1", "ann", "加微信", 2.0) == BehaviourCounts(3, 2)
    assert behaviour.observe("1", "ann", "别的", 2.0) == BehaviourCounts(1, 1)


def test_a_text_counts_for_exactly_the_window():
    behaviour = Behaviour(window_s=60)
    behaviour.observe("1", "ann", "x", 0.0)

    assert behaviour.observe("1", "ann", "x", 59.999).repeat_60s == 2
    assert behaviour.observe("1", "ann", "x", 60.0).repeat_60s == 2
    assert behaviour.observe("1", "ann", "x", 200.0).repeat_60s == 1
    assert len(behaviour) == 1


def test_a_full_memory_forgets_the_oldest_and_says_so():
    behaviour = Behaviour(max_kept=2)
    for uid in ("a", "b", "c"):
        counts = behaviour.observe("1", uid, "x", 0.0)

    assert len(behaviour) == 2
    assert behaviour.n_forgotten == 1
    assert counts.similar_uids_60s == 2


def test_long_texts_are_told_apart_by_their_beginning_only():
    behaviour = Behaviour()
    behaviour.observe("1", "ann", "x" * MAX_KEY + "a", 0.0)

    assert behaviour.observe("1", "ann", "x" * MAX_KEY + "b", 0.0).repeat_60s == 2


def test_a_memory_without_room_is_refused():
    with pytest.raises(ValueError, match="max_kept"):
        Behaviour(max_kept=0)
