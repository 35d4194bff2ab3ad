"""The text classifier's data: labelled comments and ordinary danmaku as rows with targets, each on one fixed side of the split.

Reads the folders of the data sets that shipped weights may learn from, and no others. Folding is handed in, because it is the text
engine's; numbers for the network come from `text_codec.py`.
"""

from __future__ import annotations

import csv
import hashlib
import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from models.errors import DataError
from models.text_codec import Alphabet, compact, has_letters

Fold = Callable[[str], str]
"""The text engine's canonical view of a text, as serving gives it to the network."""

HEADS = ("offensive", "hate")
"""What the network answers, in the order of its outputs: insults or attacks anybody; attacks people for what they are."""

SPLIT_SALT = "livewarden-text-split-1"
"""Named in the hash that puts a text on its side; a new salt makes figures incomparable."""

MAX_CHARACTERS = 4000
"""Largest alphabet; with it the hashes of three characters stay within 31 bits."""

MIN_COUNT = 3
"""Times a character must be seen in training to get a number of its own."""


class Source(StrEnum):
    """The data sets, by the name of their folder."""

    COLD = "cold"
    SWSR = "swsr"
    DAVIDSON = "davidson_en"
    DANMAKU = "douyu_danmaku"


class Part(StrEnum):
    """Sides of the split."""

    TRAIN = "train"
    VALID = "valid"
    """Stops the training, calibrates, sets thresholds."""
    TEST = "test"
    """Looked at once, for the figures of the model card."""


SHARES: Mapping[Source, tuple[int, int]] = {
    Source.COLD: (15, 25),
    Source.SWSR: (15, 25),
    Source.DAVIDSON: (15, 25),
    Source.DANMAKU: (30, 60),
}
"""Below the first number of the hash's hundred a text is TEST, below the second VALID, else TRAIN."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text with what is known of it."""

    text: str
    """Folded and compact, as the network reads it."""
    source: Source
    part: Part
    targets: tuple[float | None, float | None]
    """1 or 0 for each of `HEADS`, in between where it is only presumed; None where nobody said."""
    human: bool = False
    """Of COLD's own test split, whose labels people gave one by one; always TEST."""
    n_seen: int = 1
    """How often the data set has it."""


_ABUSE = re.compile(
    r"傻[逼比叉吊屌狗b]|[煞沙砂]笔|脑[残瘫]|智障|弱智|[操草艹]你[妈全]|日你妈|你妈[逼比b死]|狗[东杂][西种]|杂[种碎]|畜[生牲]|死全家|全家死|去死"
    r"|死肥|贱[人货逼]|婊|废物|人渣|(?<![a-z])(?:sb|cnm|nmsl|rnm)(?![a-z])"
)
"""Words that make a danmaku an insult more often than not; the labelled comments are longer and hardly have them."""

_CURSES = re.compile(
    rf"{_ABUSE.pattern}|傻|[操草艹日透]你|妈[的逼]|[尼你]妈|妈b|狗[日妈]|死[妈胖]|臭肥|丑逼|逼样|^滚|滚[开出蛋]?$|(?<![a-z])tmd(?![a-z])"
)
"""Danmaku with one of these are nobody's example of ordinary talk; they stay in the false-positive corpus. Mild words are not among
them: what disgusts a viewer is ordinary talk there, though not in the comments that the labels are of."""

ABUSE_TARGET = 0.75
"""Target of danmaku with a word of abuse: for a person to see, and below what the labelled sets are sure of."""

_NOISE_EN = re.compile(r"\brt\b|@user\b:?|\burl\b")
"""What a collector of tweets left behind, folded: retweet marks, masked handles and links."""
_EDGES = re.compile(r"^[\W_]+|[\s\"]+$")


def read_rows(folder: Path, fold: Fold) -> list[Row]:
    """Read every data set under a folder, each text once, on its side of the split.

    Args:
        folder: holds `cold`, `swsr`, `davidson_en` and `douyu_danmaku`, each with `data.csv`.
        fold: see `Fold`.

    Raises:
        DataError: a data set is missing or has other columns.
    """
    labelled = [*_cold(folder, fold), *_swsr(folder, fold), *_davidson(folder, fold)]
    # COLD's human-labelled rows are for the comparison with its paper: nothing that equals one is trained on.
    human = {split_key(row.text) for row in labelled if row.human}
    kept: dict[tuple[Source, str], Row] = {}
    for row in labelled:
        key = split_key(row.text)
        if row.text and (row.human or row.part is Part.TEST or key not in human):
            kept.setdefault((row.source, row.text), row)
    return [*kept.values(), *_danmaku(folder, fold)]


def split_key(text: str) -> str:
    """Return what decides on a text's side: letters and digits only, so that variants of one text stay together."""
    return "".join(filter(str.isalnum, text.lower())) or text


def part_of(text: str, source: Source) -> Part:
    """Return the side of the split a text is on, by its hash; depends on nothing else."""
    digest = hashlib.sha256(f"{SPLIT_SALT}\n{split_key(text)}".encode("utf-8", "surrogatepass")).hexdigest()
    place = int(digest[:8], 16) % 100
    test, valid = SHARES[source]
    if place < test:
        return Part.TEST
    return Part.VALID if place < valid else Part.TRAIN


def for_training(rows: Iterable[Row]) -> list[Row]:
    """Return the rows to learn from.

    Danmaku stand for ordinary talk, those with a word of abuse for insults with the target `ABUSE_TARGET`. Other doubtful ones, and
    those without letters, are left out.
    """
    return [learnt for row in rows if row.part is Part.TRAIN and (learnt := _learnt(row)) is not None]


def _learnt(row: Row) -> Row | None:
    if row.source is not Source.DANMAKU:
        return row
    if _ABUSE.search(row.text):
        return replace(row, targets=(ABUSE_TARGET, None))
    return row if has_letters(row.text) and not _CURSES.search(row.text) else None


def alphabet_of(rows: Sequence[Row]) -> Alphabet:
    """Number the characters of the training rows, most frequent first."""
    counts = Counter(char for row in rows for char in row.text if char < "\U00010000")
    frequent = sorted((-count, char) for char, count in counts.items() if count >= MIN_COUNT)[:MAX_CHARACTERS]
    return Alphabet("".join(char for _, char in frequent))


def _read(folder: Path, source: Source, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    path = folder / source.value / "data.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path} has no column {missing[0]!r}; needed: {', '.join(columns)}")
            yield from reader
    except OSError as exc:
        raise DataError(f"cannot read {path}: {exc.strerror}; name the folder that holds {', '.join(Source)}") from exc


def _cold(folder: Path, fold: Fold) -> Iterator[Row]:
    for row in _read(folder, Source.COLD, ("text", "label", "label_fine", "orig_split")):
        text, human = compact(fold(row["text"])), row["orig_split"] == "test"
        offensive = float(row["label"])
        # Every row is about race, region or gender: what attacks there attacks a group, unless a person said it is one individual.
        hate = 0.0 if row["label_fine"] == "1" else offensive
        part = Part.TEST if human else part_of(text, Source.COLD)
        yield Row(text, Source.COLD, part, (offensive, hate), human)


def _swsr(folder: Path, fold: Fold) -> Iterator[Row]:
    for row in _read(folder, Source.SWSR, ("text", "label", "category")):
        text, sexist = compact(fold(row["text"])), float(row["label"])
        # A sexist comment need not insult and a harmless one may: that was not asked.
        yield Row(text, Source.SWSR, part_of(text, Source.SWSR), (None, sexist))


def _davidson(folder: Path, fold: Fold) -> Iterator[Row]:
    for row in _read(folder, Source.DAVIDSON, ("text", "label")):
        text = compact(_EDGES.sub("", _NOISE_EN.sub(" ", fold(html.unescape(row["text"])))))
        targets = (float(row["label"] != "neither"), float(row["label"] == "hate"))
        yield Row(text, Source.DAVIDSON, part_of(text, Source.DAVIDSON), targets)


def _danmaku(folder: Path, fold: Fold) -> Iterator[Row]:
    lines = Counter(compact(fold(row["text"])) for row in _read(folder, Source.DANMAKU, ("text",)))
    for text, n_seen in lines.items():
        yield Row(text, Source.DANMAKU, part_of(text, Source.DANMAKU), (0.0, 0.0), n_seen=n_seen)
