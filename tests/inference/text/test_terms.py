"""What a line says becomes a term, or a refusal that names every wrong value and the fix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.samples import Scene
from inference.text.regexes import compile_regex
from inference.text.terms import MAX_WITHIN, Mode, parse_combination, parse_expiry, term_of
from models.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()


def term(text: str = "某词", **values: str):
    return term_of({"term": text, "label": "custom.word", "level": "2", **values}, TAXONOMY.__getitem__)


def problem(text: str = "某词", **values: str) -> str:
    with pytest.raises(ValueError, match=r".") as refused:
        term(text, **values)
    return str(refused.value)


def test_every_column_is_taken():
    said = term(" 加薇 ", scenes=" danmaku |Nickname", mode="PINYIN", owner=" ops ", reason="招募", expires="2026-12-31")

    assert (said.text, said.mode, said.owner, said.reason) == ("加薇", Mode.PINYIN, "ops", "招募")
    assert said.scenes == {Scene.DANMAKU, Scene.NICKNAME}
    assert said.expires == datetime(2027, 1, 1, tzinfo=UTC)


def test_what_is_left_out_has_its_default():
    said = term()

    assert (said.mode, said.scenes, said.parts, said.within, said.expires) == (Mode.FOLD, frozenset(), (), 0, None)


@pytest.mark.parametrize(
    ("text", "values", "told"),
    [
        ("某词", {"label": "ads.contct"}, "ads.contact"),
        ("某词", {"level": "4"}, "unknown level '4'; known: 1, 2, 3"),
        ("某词", {"level": "high"}, "unknown level 'high'"),
        ("某词", {"scenes": "danmaku|chat"}, "unknown scene 'chat'; known: danmaku"),
        ("某词", {"mode": "sound"}, "unknown mode 'sound'; known: exact, fold, pinyin, regex, combination"),
        ("某词", {"owner": "x" * 201}, "owner of 201 characters; at most 200"),
        ("某词", {"reason": "一\n二"}, "control character U+000A at 1; delete it"),
        ("词", {}, "single-character term '词'; give a word of two"),
        ("词" * 65, {}, "term of 65 characters; at most 64"),
        ("加\u200b群", {}, "control character U+200B at 1; delete it"),
        ("加\x07群", {}, "control character U+0007"),
        ("\ufeff加群", {}, "control character U+FEFF at 0"),
        ("……！", {}, "is punctuation only; give letters, digits or emoji"),
    ],
)
def test_a_wrong_value_is_named_with_its_fix(text: str, values: dict[str, str], told: str):
    assert told in problem(text, **values)


def test_all_wrong_values_of_a_line_are_told_at_once():
    told = problem("词", label="no.such", level="9", mode="sound", expires="soon")

    assert [part in told for part in ("single-character", "no.such", "level '9'", "mode 'sound'", "expires 'soon'")] == [True] * 5


@pytest.mark.parametrize("text", ["💰💰", "👨\u200d👩\u200d👧", "a1", "c++", "ＱＱ", "一二"])
def test_ordinary_words_signs_and_emoji_may_be_terms(text: str):
    assert term(text).text == text


@pytest.mark.parametrize(
    ("text", "parts", "within"),
    [
        ("加+群 within 8", ("加", "群"), 8),
        ("加+群 WITHIN 8", ("加", "群"), 8),
        ("加+群 间隔8", ("加", "群"), 8),
        ("加+群间隔 8", ("加", "群"), 8),
        ("加＋群", ("加", "群"), 20),
        ("free + skin + link within 40", ("free", "skin", "link"), 40),
        ("出+号+加+微 within 12", ("出", "号", "加", "微"), 12),
    ],
)
def test_a_combination_says_its_parts_and_how_far_they_may_lie_apart(text: str, parts: tuple[str, ...], within: int):
    said = term(text, mode="combination")

    assert (said.text, said.parts, said.within) == (text, parts, within)


def test_a_combination_without_a_distance_has_room_for_its_parts():
    said = parse_combination("+".join(["一二三四五六七八"] * 4))

    assert said.within == 32


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("加群", "has 1 parts; give 2..4 joined by +"),
        ("一+二+三+四+五", "has 5 parts"),
        ("加++群", "has an empty part"),
        ("+群 within 8", "has an empty part"),
        ("，+群", "part '，' is punctuation only"),
        ("加微+进群 within 3", "combination within 3; give 4, which its parts need, to 200"),
        (f"加+群 within {MAX_WITHIN + 1}", "combination within 201"),
        ("x" * 65 + "+群", "part of 65 characters; at most 64"),
    ],
)
def test_a_combination_that_cannot_be_is_refused(text: str, told: str):
    assert told in problem(text, mode="combination")


@pytest.mark.parametrize("pattern", ["加(微|薇)", r"\d{5,11}号?群", r"(?:v|微)信?\s*\w{4,}", r"群\d+$"])
def test_patterns_are_read(pattern: str):
    assert term(pattern, mode="regex").text == pattern


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(加", "is none that RE2 reads: missing )"),
        (r"(加)\1", "invalid escape sequence"),
        ("(?=加)群", "invalid perl operator"),
        (r"\p{Han}{1,1000}\p{Han}{1,1000}", "is none that RE2 reads: pattern too large"),
        ("加?", "matches without a character; make a part of it compulsory"),
        (r"\b", "matches without a character"),
        (r"(加|$)", "matches without a character"),
        (r"\B", "matches without a character"),
        ("x" * 257, "regex of 257 characters; at most 256"),
    ],
)
def test_a_pattern_that_cannot_serve_is_refused(pattern: str, told: str):
    assert told in problem(pattern, mode="regex")


def test_a_pattern_finds_whatever_the_case():
    found = compile_regex("VX[0-9]+").search("加vx123")

    assert found is not None
    assert (found.start(), found.end()) == (1, 6)


@given(st.text(max_size=40))
def test_no_pattern_crashes_and_none_that_is_taken_matches_nothing(pattern: str):
    try:
        compiled = compile_regex(pattern)
    except ValueError:
        return

    assert all(match.start() < match.end() for match in compiled.finditer("加群 aa 1  b"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12-31T18:00:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31t18:00:00.5z", datetime(2026, 12, 31, 18, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-12-31T18:00+08:00", datetime(2026, 12, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_date_holds_to_its_end_and_a_time_to_itself(text: str, moment: datetime):
    assert parse_expiry(text) == moment


@pytest.mark.parametrize(
    "text", ["31.12.2026", "2026-13-01", "2026-02-30", "2026-12-31T18:00:00", "20261231", "9999-12-31", "soon"]
)
def test_an_expiry_that_is_none_is_refused_with_an_example(text: str):
    assert "write 2026-12-31 or" in problem(expires=text)


def test_a_term_counts_strictly_before_it_expires():
    end = datetime(2026, 12, 31, 18, tzinfo=UTC)
    said = term(expires="2026-12-31T18:00:00Z")

    assert said.counts_at(end - timedelta(microseconds=1))
    assert not said.counts_at(end)
    assert term().counts_at(end)
