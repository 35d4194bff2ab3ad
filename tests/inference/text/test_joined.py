"""A message in pieces is read as one, and only a hit that needs the pieces and the present message is the present message's."""

from __future__ import annotations

import pytest

from inference.text.joined import Joined
from inference.verdicts import Span


def test_pieces_and_the_present_message_are_one_text():
    joined = Joined.of(("加", "微"), "信abc123")

    assert joined == Joined("加微信abc123", start=2, n_messages=2)


@pytest.mark.parametrize(("earlier", "text"), [((), "信"), (("加",), ""), (("", ""), "信")])
def test_nothing_to_join_is_none(earlier: tuple[str, ...], text: str):
    assert Joined.of(earlier, text) is None


def test_a_long_present_message_is_cut_at_the_window():
    joined = Joined.of(("加", "微"), "信" * 100, max_chars=10)

    assert joined is not None
    assert joined.text == "加微" + "信" * 8


def test_pieces_that_fill_the_window_leave_nothing_to_join():
    assert Joined.of(("加微信",), "号", max_chars=3) is None


@pytest.mark.parametrize(
    ("spans", "present"),
    [
        ([Span(0, 3)], (Span(0, 1),)),  # 加微|信
        ([Span(1, 9)], (Span(0, 7),)),
        ([Span(0, 1), Span(4, 6)], (Span(2, 4),)),  # a hit in two parts
        ([Span(0, 2)], ()),  # in the earlier messages alone
        ([Span(2, 5)], ()),  # in the present one alone
        ([], ()),
    ],
)
def test_a_hit_is_the_present_messages_where_it_needs_both(spans: list[Span], present: tuple[Span, ...]):
    joined = Joined.of(("加", "微"), "信abc123")

    assert joined is not None
    assert joined.present(spans) == present
