"""Write `tables/shapes.tsv.gz`: how characters come apart and which look alike; run by a maintainer, never by the product.

    uv run --no-project --with pillow --with numpy --with opencv-python-headless python inference/text/build_shapes.py FOLDER FONT

FOLDER holds `chaizi_simplified.tsv`, `similar_shape_curated.txt` and `same_stroke.tsv`, FONT is a font of simplified Chinese (Noto
Sans CJK). A line of the result is a character, the ways it comes apart (joined by a blank), and the characters that look like it:
those whose drawn shapes are nearest first, then listed ones, then those that share a part.

Source:
    kfcd/chaizi (CC BY 3.0, kaifangcidian.com), contr4l/SimilarCharacter (MIT), shibing624/pycorrector (Apache-2.0).
    What looks alike when drawn is measured here.
"""

from __future__ import annotations

import gzip
import importlib
import sys
from collections import Counter, defaultdict
from pathlib import Path

TABLES = Path(__file__).with_name("tables")

MAX_PARTS = 4
"""Parts that a reader still puts together again."""

MAX_ALIKE = 44
"""Look-alikes kept for a character."""

MAX_DRAWN = 22
"""Of those, characters that are near by their drawn shape."""

MIN_NEAR = 0.70
"""Cosine of two blurred glyphs from which a reader in a hurry takes one for the other (进 and 迸: 0.96)."""

N_DRAWN = 7200
"""Characters that are drawn, commonest first."""

MAX_SIBLINGS = 8
"""Characters that are neither near nor listed but share a part."""


def counted() -> Counter[str]:
    """Count characters in the counted words; what does not occur is written by nobody."""
    counts: Counter[str] = Counter()
    for line in gzip.decompress((TABLES / "words.tsv.gz").read_bytes()).decode().splitlines():
        word, n = line.split("\t")
        for char in word:
            counts[char] += int(n)
    return counts


def apart(folder: Path) -> dict[str, list[str]]:
    """Read the ways a character comes apart."""
    ways: dict[str, list[str]] = {}
    for line in (folder / "chaizi_simplified.tsv").read_text("utf-8").splitlines():
        char, *found = line.split("\t")
        parts = ["".join(way.split(" ")) for way in found]
        ways[char] = list(dict.fromkeys(way for way in parts if 2 <= len(way) <= MAX_PARTS))
    return ways


def drawn(font: str, counts: Counter[str]) -> dict[str, str]:
    """Draw the commonest characters and return, for each, those that look nearest."""
    cv2, np = importlib.import_module("cv2"), importlib.import_module("numpy")
    image, draw, fonts = (importlib.import_module(f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont"))
    face = fonts.truetype(font, 48, index=2)
    chars = [char for char, _ in counts.most_common(N_DRAWN)]
    glyphs = []
    for char in chars:
        canvas = image.new("L", (56, 56), 0)
        draw.Draw(canvas).text((4, -6), char, fill=255, font=face)
        blurred = cv2.GaussianBlur(np.asarray(canvas, np.float32), (0, 0), 1.6)
        glyph = cv2.resize(blurred, (28, 28), interpolation=cv2.INTER_AREA).ravel()
        glyph -= glyph.mean()
        glyphs.append(glyph / np.linalg.norm(glyph))
    matrix = np.stack(glyphs)
    nearest: dict[str, str] = {}
    for index, char in enumerate(chars):
        near = matrix @ matrix[index]
        order = np.argsort(-near)[1 : MAX_DRAWN + 1]
        nearest[char] = "".join(chars[other] for other in order if near[other] >= MIN_NEAR)
    return nearest


def listed(folder: Path) -> dict[str, set[str]]:
    """Read the lists of look-alikes, both ways."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in (folder / "similar_shape_curated.txt").read_text("utf-8").splitlines():
        char, _, others = line.partition(" ")
        for other in others.strip():
            found[char].add(other)
            found[other].add(char)
    for line in (folder / "same_stroke.tsv").read_text("utf-8").splitlines():
        group = line.split("\t")
        for char in group:
            found[char].update(group)
    return found


def sharing(ways: dict[str, list[str]], counts: Counter[str]) -> dict[str, set[str]]:
    """Return, for each character, those that hold it, are held by it, or share one of its two parts."""
    holders: defaultdict[str, set[str]] = defaultdict(set)
    for char in counts:
        for way in ways.get(char, ()):
            for part in way if len(way) == 2 else ():
                holders[part].add(char)
    near: defaultdict[str, set[str]] = defaultdict(set)
    for part, chars in holders.items():
        for char in chars:
            near[part].add(char)
            near[char].add(part)
            if len(chars) <= 30:  # a radical that hundreds share makes nothing alike
                near[char].update(chars)
    return near


def alike(folder: Path, font: str, ways: dict[str, list[str]], counts: Counter[str]) -> dict[str, str]:
    """Collect look-alikes, nearest first."""
    by_eye, by_list, by_part = drawn(font, counts), listed(folder), sharing(ways, counts)
    result: dict[str, str] = {}
    for char in counts:
        told = sorted(by_list[char], key=lambda other: -counts[other])
        parted = sorted(by_part[char] & counts.keys(), key=lambda other: -counts[other])[:MAX_SIBLINGS]
        found = dict.fromkeys([*by_eye.get(char, ""), *told[: MAX_ALIKE - MAX_DRAWN], *parted])
        found.pop(char, None)
        result[char] = "".join(found)[:MAX_ALIKE]
    return result


def main() -> None:
    """Write the table."""
    folder = Path(sys.argv[1])
    counts, ways = counted(), apart(folder)
    looks = alike(folder, sys.argv[2], ways, counts)
    lines = [f"{char}\t{' '.join(ways.get(char, []))}\t{looks[char]}\n" for char in sorted(counts) if ways.get(char) or looks[char]]
    (TABLES / "shapes.tsv.gz").write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


if __name__ == "__main__":
    main()
