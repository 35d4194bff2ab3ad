"""Readings of a text undo one disguise each, and every sound of each knows where it stands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.text.normalise import Normaliser
from inference.text.tables import Tables
from inference.text.views import ViewKind, Views

NORMALISER = Normaliser(Tables.load())
VIEWS = Views(NORMALISER)
PARTS = {"贝者": "赌", "亻言": "信"}


def sounds(text, kind):
    canon = NORMALISER.canonical(text)
    return [view.sounds for view in VIEWS.readings(canon, PARTS) if view.kind is kind]


@pytest.mark.parametrize(
    ("text", "kind", "meant"),
    [
        ("jia微xin", ViewKind.SPELT, "加微信"),
        ("jia-wei-xin", ViewKind.SPELT, "加微信"),
        ("加🐧", ViewKind.WORDED, "加qq"),
        ("死🐴", ViewKind.WORDED, "死马"),
        ("死🐴", ViewKind.WORDED, "死妈"),
        ("d4igou", ViewKind.LEET, "代购"),
        ("6合彩", ViewKind.SPOKEN, "六合彩"),
        ("代1购", ViewKind.HAN, "代购"),
        ("贝者博", ViewKind.COMPOSED, "赌博"),
        ("加微亻言", ViewKind.COMPOSED, "加微信"),
        ("赌赌赌博博", ViewKind.COLLAPSED, "赌博"),
        ("加微加微信", ViewKind.COLLAPSED, "加微信"),
    ],
)
def test_a_reading_sounds_like_what_is_meant(text, kind, meant):
    assert NORMALISER.sound(meant) in sounds(text, kind)


def test_a_text_without_disguise_has_one_reading():
    assert [view.kind for view in VIEWS.readings("主播加油啊", PARTS)] == [ViewKind.PLAIN]


def test_sounds_alike_are_not_repetition_unless_the_character_is_the_same():
    assert sounds("他她它", ViewKind.COLLAPSED) == []


def test_long_numbers_are_not_spoken():
    assert sounds("开138", ViewKind.SPOKEN) == []


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["加", "wei", "信", "6", "🐧", "❤", "贝", "者", "赌赌", "a1b", " ", "➕", "零"]), max_size=12).map(
        "".join
    )
)
def test_every_unit_stands_somewhere_and_in_order(text):
    canon = NORMALISER.canonical(text)
    for view in VIEWS.readings(canon, PARTS):
        assert len(view.sounds) == len(view.units)
        assert all(0 <= unit.first <= unit.last < len(canon) for unit in view.units)
        assert [unit.first for unit in view.units] == sorted(unit.first for unit in view.units)
