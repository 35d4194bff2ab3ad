"""Data sets of a few rows in the form of the real ones, and a network's serving made of nothing but Python."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

Table = Sequence[Mapping[str, object]]


def write_set(folder: Path, name: str, rows: Table) -> None:
    """Write one data set."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    with (folder / name / "data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def cold(text: str, label: int, *, fine: str = "", split: str = "train") -> dict[str, object]:
    return {"text": text, "label": label, "label_fine": fine, "topic": "region", "orig_split": split}


def swsr(text: str, label: int) -> dict[str, object]:
    return {"text": text, "label": label, "category": "", "target": ""}


def tweet(text: str, label: str) -> dict[str, object]:
    return {"text": text, "label": label, "annotators": 3}


def danmaku(text: str) -> dict[str, object]:
    return {"text": text, "block": 0}


def write_sets(folder: Path, n_rows: int = 60) -> Path:
    """Write all four, `n_rows` each, so easy that a network learns them in seconds: 坏 and bad are the only bad words."""
    places = range(n_rows)
    write_set(
        folder,
        "cold",
        [cold(f"{'坏' if n % 2 else '好'}人{_spelt(n)}", n % 2, split="test" if n % 10 == 9 else "train") for n in places],
    )
    write_set(folder, "swsr", [swsr(f"{'坏' if n % 3 == 0 else '善'}女{_spelt(n)}", int(n % 3 == 0)) for n in places])
    write_set(
        folder,
        "davidson_en",
        [
            tweet(f"{'bad' if n % 2 else 'fine'} one {_spelt(n)}", ("neither", "offensive", "neither", "hate")[n % 4])
            for n in places
        ],
    )
    write_set(folder, "douyu_danmaku", [danmaku(f"主播{_spelt(n % 40)}") for n in places])
    return folder


def _spelt(number: int) -> str:
    return "".join("零一二三四五六七八九"[int(digit)] for digit in str(number))


def plain_fold(text: str) -> str:
    """A fold that is good enough for made-up texts."""
    return text.lower()
