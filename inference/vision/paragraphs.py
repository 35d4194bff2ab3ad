"""Which lines of a picture belong together, so that a term written over two boxes, or two rows, is still one term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.detectors import TextLine

MAX_TEXT = 500
"""Characters of a joined text; further lines begin a new one."""
ROW_OVERLAP = 0.6
"""Part of the lower line's height that two boxes of a row share."""
ROW_GAP = 1.5
"""Line heights between two boxes of a row, at most."""
PARAGRAPH_GAP = 0.9
"""Line heights between two rows of a paragraph, at most."""
PARAGRAPH_OVERLAP = 0.5
"""Part of the narrower row's width that two rows share."""
SIZE_RATIO = 1.7
"""Lines of one text are written alike: the higher is at most this much higher."""


@dataclass(frozen=True, slots=True)
class JoinedText:
    """The text of several lines that belong together."""

    text: str
    lines: tuple[TextLine, ...]
    """In reading order, at least two."""

    @property
    def score(self) -> float:
        """That of the line that was read worst, 0..1."""
        return min(line.score for line in self.lines)


def join_lines(lines: Sequence[TextLine], *, aspect: float) -> tuple[JoinedText, ...]:
    """Join boxes to rows and rows to paragraphs.

    Args:
        lines: of one picture.
        aspect: its width over its height, so that gaps to the side can be held against heights.

    Returns:
        texts of two lines and more, from top to bottom; no line is in two of them.
    """
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: (line.box.x, line.box.y)):
        row = next((row for row in rows if _beside(row[-1], line, aspect) and _fits([row], [line])), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    paragraphs: list[list[list[TextLine]]] = []
    for row in sorted(rows, key=lambda row: (min(line.box.y for line in row), row[0].box.x)):
        above = next((one for one in reversed(paragraphs) if _below(one[-1], row) and _fits(one, row)), None)
        if above is None:
            paragraphs.append([row])
        else:
            above.append(row)
    flat = [tuple(line for row in paragraph for line in row) for paragraph in paragraphs]
    return tuple(JoinedText(_joined(group), group) for group in flat if len(group) > 1)


def _fits(rows: Sequence[Sequence[TextLine]], more: Sequence[TextLine]) -> bool:
    return sum(len(line.text) for row in (*rows, more) for line in row) <= MAX_TEXT


def _alike(one: float, other: float) -> bool:
    return max(one, other) <= SIZE_RATIO * min(one, other)


def _beside(left: TextLine, right: TextLine, aspect: float) -> bool:
    one, other = left.box, right.box
    lower = min(one.h, other.h)
    shared = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    gap = (other.x - one.x - one.w) * aspect
    return _alike(one.h, other.h) and shared >= ROW_OVERLAP * lower and -0.5 * lower <= gap <= ROW_GAP * lower


def _below(above: Sequence[TextLine], row: Sequence[TextLine]) -> bool:
    height, own = (max(line.box.h for line in lines) for lines in (above, row))
    gap = min(line.box.y for line in row) - max(line.box.y + line.box.h for line in above)
    left, right = max(above[0].box.x, row[0].box.x), min(_end(above), _end(row))
    narrower = min(_end(above) - above[0].box.x, _end(row) - row[0].box.x)
    near = -0.5 * height <= gap <= PARAGRAPH_GAP * height
    return _alike(height, own) and near and right - left >= PARAGRAPH_OVERLAP * narrower


def _end(row: Sequence[TextLine]) -> float:
    return max(line.box.x + line.box.w for line in row)


def _joined(lines: Sequence[TextLine]) -> str:
    text = lines[0].text
    for line in lines[1:]:
        between = " " if text[-1:].isascii() and line.text[:1].isascii() else ""
        text += between + line.text
    return text
