from __future__ import annotations

import pytest

from inference.vision.title_names import TitleNames

NAMES = TitleNames.of(
    [("Freedoom", "banned_game.regulated", ("Freedoom", "自由毁灭战士")), ("Dark Night", "banned_game.gore", ("Dark Night", "DN"))]
)


@pytest.mark.parametrize(
    "text", ["今晚玩 Freedoom", "ＦＲＥＥＤＯＯＭ！", "free doom phase 2", "正在玩:自由 毁灭 战士", "【自由毁灭战士】第二关"]
)
def test_a_name_is_found_whatever_its_case_width_and_spaces(text: str) -> None:
    assert [named.name for named in NAMES.within(text)] == ["Freedoom"]


@pytest.mark.parametrize("text", ["freedoomed", "xfreedoom", "DN", "自由", "", "   ", "dark nights"])
def test_parts_of_words_and_short_names_are_not_names(text: str) -> None:
    assert NAMES.within(text) == ()


def test_a_name_of_two_words_may_be_written_as_one_or_two() -> None:
    assert [named.label for named in NAMES.within("Dark-Night live")] == ["banned_game.gore"]
    assert [named.label for named in NAMES.within("darknight live")] == ["banned_game.gore"]


@pytest.mark.parametrize(
    ("text", "share"), [("自由毁灭战士", 1.0), ("自由毁灭战士 房间 123456", 0.75), ("今晚一起玩自由毁灭战士", 6 / 11)]
)
def test_a_name_may_have_to_make_up_a_share_of_the_letters(text: str, share: float) -> None:
    assert len(NAMES.within(text, least_share=share - 0.01)) == 1
    assert NAMES.within(text, least_share=share + 0.01) == ()


def test_a_title_named_twice_is_told_once() -> None:
    assert len(NAMES.within("freedoom 自由毁灭战士")) == 1
