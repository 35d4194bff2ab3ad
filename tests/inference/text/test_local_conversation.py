"""The counters of one process are bounded, forget the oldest first and say so, and leave the garbage collector alone."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.text.conversation import Said, Windows
from inference.text.local_conversation import LocalConversation
from tests.inference.text.talk import PlainModel


def test_a_full_memory_forgets_the_oldest_and_says_so():
    conversation = LocalConversation(max_kept=2)
    for uid in ("a", "b", "c"):
        said = conversation.observe("1", uid, "x", "x", 0.0)

    assert said.similar_uids_60s == 2
    assert (len(conversation), conversation.n_forgotten) == (2, 1)


def test_what_has_expired_is_removed_before_anything_is_forgotten():
    conversation = LocalConversation(max_kept=2)
    conversation.observe("1", "a", "x", "x", 0.0)
    conversation.observe("1", "b", "x", "x", 0.0)

    assert conversation.observe("1", "c", "y", "y", 60.0) == Said()
    assert (len(conversation), conversation.n_forgotten) == (1, 0)


def test_memory_stays_bounded_whatever_comes():
    conversation = LocalConversation(max_kept=100)
    for number in range(1000):
        conversation.observe(f"{number % 7}", f"{number % 31}", f"{number % 53}", "x", number / 1000)

    assert (len(conversation), conversation.n_forgotten) == (100, 900)
    assert conversation.n_rooms == 7


def test_many_at_once_keep_the_bound_too():
    conversation = LocalConversation(max_kept=3)
    names = [str(number) for number in range(5)]

    counted = conversation.observe_many(["1"] * 5, names, ["x"] * 5, ["x"] * 5, 0.0)

    assert [said.similar_uids_60s for said in counted] == [1, 2, 3, 3, 3]
    assert (len(conversation), conversation.n_forgotten) == (3, 2)


def test_room_is_made_for_all_that_come_at_once():
    conversation = LocalConversation(max_kept=3)
    conversation.observe_many(["1"] * 2, ["a", "b"], ["x"] * 2, ["x"] * 2, 0.0)

    counted = conversation.observe_many(["1"] * 2, ["c", "d"], ["x"] * 2, ["x"] * 2, 1.0)

    assert [said.similar_uids_60s for said in counted] == [2, 3]
    assert (len(conversation), conversation.n_forgotten) == (3, 1)


def test_none_at_once_is_nothing():
    conversation = LocalConversation(max_kept=1)
    conversation.observe("1", "ann", "x", "x", 0.0)

    assert conversation.observe_many([], [], [], [], 0.0) == []
    assert (len(conversation), conversation.n_forgotten) == (1, 0)


def test_unequal_columns_are_refused_before_anything_is_counted():
    conversation = LocalConversation()

    with pytest.raises(ValueError, match="2 rooms, 2 uids, 1 keys, 2 texts"):
        conversation.observe_many(["1", "1"], ["a", "b"], ["x"], ["x", "x"], 0.0)
    assert len(conversation) == 0


def test_old_messages_do_not_pile_up_while_nobody_repeats_anything():
    conversation = LocalConversation(Windows(said_s=10.0))
    for number in range(1000):
        conversation.observe("1", str(number), str(number), "x", float(number))

    assert len(conversation) < 100


def test_silence_empties_the_memory_piece_by_piece():
    conversation = LocalConversation()
    for number in range(10):
        conversation.observe(str(number % 3), str(number % 4), str(number % 2), "x", 0.0)

    assert conversation.sweep(59.9, at_most=4) == 0
    assert conversation.sweep(60.0, at_most=4) == 4
    assert conversation.sweep(60.0) == 6
    assert (len(conversation), conversation.n_rooms, conversation.n_forgotten) == (0, 0, 0)
    assert conversation.observe("1", "1", "1", "x", 60.0) == Said()


def test_a_full_memory_is_swept_without_forgetting():
    conversation = LocalConversation(max_kept=1)
    conversation.observe("1", "ann", "x", "x", 0.0)

    assert conversation.sweep(1.0) == 0
    assert conversation.n_forgotten == 0


def test_a_room_whose_only_text_expires_as_it_is_said_again_stays_open():
    conversation = LocalConversation()
    conversation.observe("1", "ann", "x", "x", 0.0)

    assert conversation.observe("1", "bob", "x", "x", 60.0) == Said()
    assert conversation.observe("1", "bob", "x", "x", 60.0).repeat_60s == 2


def test_whole_seconds_are_seconds():
    conversation = LocalConversation()
    conversation.observe("1", "ann", "加", "加", 0)
    conversation.observe("1", "ann", "微", "微", 1)

    assert conversation.observe("1", "ann", "信", "信", 10) == Said(1, 1, 2, ("微",))


def test_joining_nothing_gives_no_pieces():
    conversation = LocalConversation(Windows(n_joined=0))
    conversation.observe("1", "ann", "加", "加", 0.0)

    assert conversation.observe("1", "ann", "微", "微", 0.0) == Said(1, 1, 2, ())


def test_the_collector_does_not_walk_what_is_kept():
    conversation = LocalConversation()
    for number in range(500):
        conversation.observe("1", f"user {number % 50}", f"text {number}", "x", number / 100)
    gc.collect()

    assert not any(gc.is_tracked(message) for message in conversation._kept)


def test_a_memory_without_room_is_refused():
    with pytest.raises(ValueError, match="max_kept"):
        LocalConversation(max_kept=0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.lists(st.tuples(st.sampled_from("12"), st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=4),
        ),
        max_size=40,
    )
)
def test_any_talk_is_counted_as_the_plain_model_counts_it(talk: list[tuple[int, list[tuple[str, str, str]]]]):
    windows = Windows(said_s=8.0, spoken_s=4.0, n_joined=2)
    conversation, model = LocalConversation(windows), PlainModel(windows)
    now_s = 0.0
    for passed, messages in talk:
        now_s += passed / 4
        expected = [model.say(*message, now_s) for message in messages]

        if len(messages) == 1:
            room, uid, text = messages[0]
            assert [conversation.observe(room, uid, text, text, now_s)] == expected
        else:
            rooms, uids, texts = zip(*messages, strict=True)
            assert conversation.observe_many(rooms, uids, texts, texts, now_s) == expected
