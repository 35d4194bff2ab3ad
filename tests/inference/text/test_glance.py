"""The quick look ends the matter for ordinary talk, lets disguises through, and says of many texts what it says of each."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.samples import Scene
from inference.text.check import TextChecker
from inference.text.glance import MAX_SEEN
from tests.inference.text.evasions import positives

CHECKER = TextChecker.load()
MATCHER = CHECKER._matcher


@pytest.mark.parametrize("text", ["主播加油", "哈哈哈哈", "666666", "gg", "？？？", "这波可以啊", "看看直播", "", "🎉"])
def test_ordinary_talk_is_over_after_a_glance(text):
    assert MATCHER.glance.is_clean(text)


def test_hardly_any_disguise_that_a_full_reading_finds_is_lost_at_a_glance():
    canonical = CHECKER._language.normaliser.canonical
    now = datetime.now(UTC)
    found = lost = 0
    for row in positives()[::3]:
        if len(row.messages) == 1 and MATCHER.meant(row.text, canonical(row.text), Scene.DANMAKU, now):
            found += 1
            lost += MATCHER.glance.is_clean(row.text)

    assert found > 1000
    assert lost / found < 0.01


def test_many_texts_at_once_are_judged_as_each_alone():
    texts = [row.text for row in positives()[::7]] + ["主播加油", "666", "", "哈哈"] * 10

    together = MATCHER.glance.unclean(texts)
    MATCHER.glance.forget()

    assert together == [index for index, text in enumerate(texts) if not MATCHER.glance.is_clean(text)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12), max_size=6))
def test_any_texts_at_once_read_as_each_alone(texts):
    assert CHECKER.read_many(texts, Scene.DANMAKU) == [CHECKER.read(text, Scene.DANMAKU) for text in texts]


def test_what_is_remembered_is_bounded():
    glance = TextChecker.load()._matcher.glance
    for number in range(MAX_SEEN + 100):
        glance.is_clean(f"好{number % 10}{chr(0x4E00 + number % 20000)}啊{number // 20000}")

    assert len(glance._seen) <= MAX_SEEN


@pytest.mark.shared
def test_most_real_danmaku_are_over_after_a_glance(shared_data):
    with (shared_data / "text" / "douyu_danmaku" / "data.csv").open(encoding="utf-8", newline="") as file:
        lines = [row["text"] for row in csv.DictReader(file)][:10_000]

    assert sum(not MATCHER.glance.is_clean(line) for line in lines) / len(lines) < 0.10
