"""Words of enrolled logos on the screen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from inference.detectors import TextLine
from inference.enrolment import Enrolled
from inference.samples import Modality
from inference.verdicts import Box
from inference.vision.lettering import WORDS_LIST, lettering_reader
from inference.vision.logo_book import LogoEntry, LogoPage, page_of

NOW = datetime(2026, 11, 26, tzinfo=UTC)
CORNER = Box(0.8, 0.05, 0.12, 0.04)


def page(**changes: object) -> LogoPage:
    told = {
        "label": "competitor.logo",
        "title": "B",
        "pictures": (),
        "words": ("虎鲸直播", "Orca TV"),
        "enrolled_at": NOW,
        **changes,
    }
    return page_of([(Enrolled("orca", 1, Path(), LogoEntry(**told)), np.ones((1, 2), np.float32))])  # type: ignore[arg-type]


def line(text: str, box: Box = CORNER) -> TextLine:
    return TextLine(text, box, 0.9)


@pytest.mark.parametrize("text", ["虎鲸直播", "虎鲸 直播", "虎鲸直播 房间号 660088", "ORCA TV", "OrcaTV·8812", "◎虎鲸直播"])
def test_a_line_that_is_a_marks_words_is_the_mark(text: str) -> None:
    (finding,) = lettering_reader(page)(line(text))

    assert (finding.label, finding.sublabel, finding.modality) == ("competitor.logo", "orca", Modality.IMAGE)
    assert finding.match is not None
    assert (finding.match.list, finding.match.matched) == (WORDS_LIST, text)


@pytest.mark.parametrize(
    "text", ["昨天我在虎鲸直播看了比赛", "虎鲸", "直播", "orcatvx", "watch me later on Orca TV tonight", "", "12345"]
)
def test_talk_about_a_platform_and_parts_of_its_name_are_not_the_mark(text: str) -> None:
    assert lettering_reader(page)(line(text)) == []


def test_words_count_where_and_as_large_as_the_logo_does() -> None:
    there = page(zones=((0.6, 0.0, 0.4, 0.35),), min_area=0.001)
    read = lettering_reader(lambda: there)

    assert len(read(line("虎鲸直播"))) == 1
    assert read(line("虎鲸直播", replace(CORNER, x=0.1))) == []
    assert read(line("虎鲸直播", replace(CORNER, w=0.02))) == []


def test_what_is_enrolled_meanwhile_is_read_and_what_says_nothing_is_not() -> None:
    enrolled = [page(words=())]
    read = lettering_reader(lambda: enrolled[0])
    before = read(line("虎鲸直播"))
    enrolled[0] = page()

    assert before == []
    assert len(read(line("虎鲸直播"))) == 1
