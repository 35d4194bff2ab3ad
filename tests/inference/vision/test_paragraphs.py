from __future__ import annotations

from inference.detectors import TextLine
from inference.verdicts import Box
from inference.vision.paragraphs import MAX_TEXT, join_lines

ASPECT = 16 / 9


def line(text: str, x: float, y: float, *, w: float = 0.2, h: float = 0.05, score: float = 0.9) -> TextLine:
    return TextLine(text, Box(x, y, w, h), score)


def texts(*lines: TextLine) -> list[str]:
    return [joined.text for joined in join_lines(lines, aspect=ASPECT)]


def test_boxes_beside_each_other_make_a_row() -> None:
    assert texts(line("信 abc", 0.32, 0.101), line("加微", 0.1, 0.1)) == ["加微信 abc"]


def test_rows_below_each_other_make_a_paragraph() -> None:
    assert texts(line("加微", 0.1, 0.1), line("信领福利", 0.1, 0.16, w=0.25)) == ["加微信领福利"]


def test_rows_of_several_boxes_are_read_row_by_row() -> None:
    lines = [line("a", 0.1, 0.1), line("b", 0.31, 0.1), line("c", 0.1, 0.16), line("d", 0.31, 0.16)]
    assert texts(*lines) == ["a b c d"]


def test_what_stands_apart_stays_apart() -> None:
    assert texts(line("左", 0.1, 0.1), line("右", 0.7, 0.1)) == []
    assert texts(line("上", 0.1, 0.1), line("下", 0.1, 0.3)) == []
    assert texts(line("左上", 0.1, 0.1), line("右下", 0.5, 0.16)) == []


def test_lines_of_different_size_are_different_texts() -> None:
    assert texts(line("标题", 0.1, 0.1, h=0.12), line("正文", 0.1, 0.23, h=0.04)) == []


def test_latin_words_keep_a_space_between_them() -> None:
    assert texts(line("add", 0.1, 0.1), line("wechat", 0.31, 0.1)) == ["add wechat"]


def test_the_worst_line_tells_how_sure_the_whole_is() -> None:
    (joined,) = join_lines([line("加", 0.1, 0.1, score=0.9), line("微", 0.31, 0.1, score=0.6)], aspect=ASPECT)
    assert joined.score == 0.6
    assert [one.text for one in joined.lines] == ["加", "微"]


def test_a_wall_of_text_is_cut_into_bounded_pieces_and_no_line_is_used_twice() -> None:
    lines = [line("字" * 80, 0.1, 0.05 * row) for row in range(18)]
    joined = join_lines(lines, aspect=ASPECT)
    assert all(len(one.text) <= MAX_TEXT for one in joined)
    used = [id(part) for one in joined for part in one.lines]
    assert len(used) == len(set(used)) == 18
