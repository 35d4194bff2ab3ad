"""A table keeps what is said most within its bounds, and lets the rest go."""

from __future__ import annotations

import pytest

from inference.text.normalise import Normaliser
from inference.text.popularity import MAX_USERS, WINDOW, PopularTexts, TableBounds
from inference.text.tables import Tables
from inference.text.typed import Letters

LETTERS = Letters(Normaliser(Tables.load()).syllables)


def table(max_texts=4, min_users=1, max_alike=None, half_life_s=1_000.0):
    return PopularTexts(TableBounds(max_texts, half_life_s, min_users, max_alike), LETTERS)


def test_a_full_table_gives_up_the_weakest():
    popular = table(max_texts=2)
    for user in range(3):
        popular.say("主播唱", "主播唱", user, 0.0)
    popular.say("主播玩", "主播玩", 1, 0.0)
    popular.say("主播笑", "主播笑", 1, 0.0)

    assert len(popular) == 2
    assert [one.canon for one in popular.best("主播", 0.0)] == ["主播唱", "主播笑"]


def test_inherited_weight_helps_to_stay_but_is_not_shown():
    popular = table(max_texts=1)
    for user in range(5):
        popular.say("主播唱", "主播唱", user, 0.0)
    popular.say("主播玩", "主播玩", 1, 0.0)

    assert [one.weight for one in popular.best("主播", 0.0)] == [pytest.approx(1.0)]
    assert popular._estimates[0] == pytest.approx(2.584962500721156)  # log2 of 5 + 1


def test_what_makes_up_more_than_its_share_is_never_lost():
    popular = table(max_texts=10, half_life_s=1e9)
    for index in range(2_000):
        popular.say(f"过客{index}", f"过客{index}", index, 0.0)
        if index % 8 == 0:
            popular.say("主播加油", "主播加油", index, 0.0)

    assert popular.known("主播加油") == "主播加油"
    (kept,) = popular.best("主播", 0.0)
    assert kept.weight == pytest.approx(250, rel=0.02)


def test_a_popular_text_noted_long_ago_is_not_taken_for_the_weakest():
    popular = table(max_texts=100)
    for user in range(50):
        popular.say("主播加油", "主播加油", user, 0.0)
    for index in range(500):
        popular.say(f"过客{index}", f"过客{index}", index, float(index))

    assert popular.known("主播加油") is not None


def test_a_large_table_is_gone_through_window_by_window():
    popular = table(max_texts=2 * WINDOW)
    for index in range(2 * WINDOW):
        for user in range(1 if index in (5, WINDOW + 7) else 2):
            popular.say(f"主播{index}", f"主播{index}", user, 0.0)

    popular.say("第一", "第一", 1, 0.0)
    assert (popular.known("主播5"), popular.known(f"主播{WINDOW + 7}")) == (None, f"主播{WINDOW + 7}")
    popular.say("第二", "第二", 1, 0.0)
    assert popular.known(f"主播{WINDOW + 7}") is None
    popular.say("第三", "第三", 1, 0.0)
    assert len(popular) == 2 * WINDOW


def test_too_many_with_one_beginning_push_out_the_weakest_of_them_only():
    popular = table(max_texts=100, max_alike=3)
    popular.say("别的话", "别的话", 1, 0.0)
    for index in range(10):
        for user in range(8 if index == 0 else 1):
            popular.say(f"主播{index}", f"主播{index}", user, float(index))

    assert len(popular) == 4
    assert {one.canon for one in popular.best("主播", 10.0)} >= {"主播0", "主播9"}
    assert popular.known("别的话") is not None


def test_beginnings_leave_nothing_behind_when_their_texts_go():
    popular = table(max_texts=3, max_alike=2)
    for index in range(200):
        text = f"{chr(0x4E00 + index)}{chr(0x4E00 + 2 * index)}话"
        popular.say(text, text, index, float(index))

    assert len(popular) == 3
    assert sum(map(len, popular._filed.values())) <= 6
    assert all(popular._filed.values())


def test_initials_with_too_many_texts_leave_them_to_their_characters():
    popular = table(max_texts=100, max_alike=2)
    for text in ("主播好", "注播好", "猪播好", "朱播好"):
        popular.say(text, text, 1, 0.0)

    assert len(list(popular.best("zb", 0.0))) == 2
    assert [one.canon for one in popular.best("朱播", 0.0)] == ["朱播好"]


@pytest.mark.parametrize("n_users", [1, 2, 3, MAX_USERS])
def test_a_text_is_shown_when_enough_different_users_have_said_it(n_users):
    popular = table(min_users=n_users)
    for user in [*range(n_users - 1)] * 3:
        popular.say("主播加油", "主播加油", user, 0.0)
    before = list(popular.best("主播", 0.0))
    popular.say("主播加油", "主播加油", n_users, 0.0)

    assert before == []
    assert [one.canon for one in popular.best("主播", 0.0)] == ["主播加油"]


def test_a_text_that_takes_a_place_takes_nothing_of_who_said_the_other_and_how():
    popular = table(max_texts=1, min_users=2)
    for user, form in enumerate(("GG 主播", "Gg 主播")):
        popular.say("gg 主播", form, user, 0.0)
    popular.say("主播加油", "主播加油", 0, 0.0)

    assert list(popular.best("主播", 0.0)) == []
    popular.say("主播加油", "主播加油", 1, 0.0)
    assert [one.form for one in popular.best("主播", 0.0)] == ["主播加油"]
    assert not popular._forms
    assert not popular._rivals


@pytest.mark.parametrize(
    "bad",
    [
        {"max_texts": 0},
        {"half_life_s": 0.0},
        {"half_life_s": float("nan")},
        {"min_users": 0},
        {"min_users": MAX_USERS + 1},
        {"max_alike": 0},
    ],
)
def test_bounds_that_cannot_work_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        TableBounds(**{"max_texts": 1, "half_life_s": 1.0, "min_users": 1, **bad})
