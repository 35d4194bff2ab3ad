"""The page of enrolled logos."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from inference.enrolment import Enrolled
from inference.errors import ConfigError, InvalidSample
from inference.samples import Pixels
from inference.verdicts import Box
from inference.vision.logo_book import LogoBook, LogoEntry, MarkReader, Vectors, logo_store, page_of, read_zone
from inference.vision.marks import read_mark
from tests.inference.vision.marks_maker import READER, by_thumbnail, mark_png

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def entry(**changes: object) -> LogoEntry:
    return LogoEntry(**{"label": "competitor.logo", "title": "B", "pictures": ("0.png",), "enrolled_at": NOW, **changes})  # type: ignore[arg-type]


def enrolled(name: str) -> Enrolled[LogoEntry]:
    return Enrolled(name, 1, Path(), entry())


def unit(*angles_deg: float) -> Vectors:
    radians = np.radians(angles_deg)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_page_holds_the_logos_by_name_and_compares_with_the_nearest_of_their_views() -> None:
    page = page_of([(enrolled("a"), unit(0, 90)), (enrolled("b"), unit(180))])

    alike = page.index.likeness(unit(80))

    assert set(page.logos) == set(page.index.names) == {"a", "b"}
    assert alike[0].tolist() == pytest.approx([np.cos(np.radians(10)), np.cos(np.radians(100))], abs=1e-6)


def test_an_empty_page_compares_with_nothing() -> None:
    assert page_of([]).index.likeness(np.zeros((2, 128), np.float32)).shape == (2, 0)


@pytest.mark.parametrize(
    ("text", "zone"),
    [("top-right", (0.6, 0.0, 0.4, 0.35)), (" 0.1,0.2,0.3,0.4", (0.1, 0.2, 0.3, 0.4)), ("0,0,1,1", (0, 0, 1, 1))],
)
def test_a_zone_is_named_or_measured(text: str, zone: tuple[float, ...]) -> None:
    assert read_zone(text) == zone


@pytest.mark.parametrize("text", ["", "middle", "1,2,3", "0.5,0,0.6,1", "0,0,0,1", "nan,0,1,1", "-0.1,0,0.5,0.5"])
def test_an_impossible_zone_names_the_ways_to_write_one(text: str) -> None:
    with pytest.raises(InvalidSample, match=r"zone .*top-left.*x,y,width,height"):
        read_zone(text)


def test_an_entry_counts_boxes_that_are_large_enough_and_in_place() -> None:
    there = entry(min_area=0.01, zones=(read_zone("top-right"),))

    assert there.admits(Box(0.8, 0.05, 0.15, 0.1))
    assert not there.admits(Box(0.8, 0.05, 0.05, 0.05))
    assert not there.admits(Box(0.1, 0.05, 0.15, 0.1))


def published(root: Path, name: str, seed: int, *, with_vectors: Vectors | None = None) -> Enrolled[LogoEntry]:
    files = {"0.png": read_mark(mark_png(seed)).encoded()}
    if with_vectors is not None:
        (root / "v.npy").parent.mkdir(parents=True, exist_ok=True)
        np.save(root / "v.npy", with_vectors)
        files[READER.vectors_file] = (root / "v.npy").read_bytes()
    return logo_store(root).publish(name, entry(), files)


class Counting:
    """Counts the marks that the network sees."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, rgba: Pixels) -> Vectors:
        self.n += 1
        return by_thumbnail(rgba)


def test_only_what_is_new_costs_the_network(tmp_path: Path) -> None:
    counting = Counting()
    book = LogoBook(MarkReader(counting, "m"))
    first, second = published(tmp_path, "a", 1), published(tmp_path, "b", 2)

    book.teach((first,))
    book.teach((first, second))
    book.teach((second,))

    assert counting.n == 2
    assert list(book.page.logos) == ["b"]


def test_embeddings_stored_at_enrolment_are_used(tmp_path: Path) -> None:
    counting = Counting()
    book = LogoBook(MarkReader(counting, READER.model))

    book.teach((published(tmp_path, "a", 1, with_vectors=unit(30)),))

    assert counting.n == 0
    assert np.allclose(book.page.index.likeness(unit(30)), 1.0)


def test_embeddings_of_another_network_are_made_anew(tmp_path: Path) -> None:
    counting = Counting()
    book = LogoBook(MarkReader(counting, "another"))

    book.teach((published(tmp_path, "a", 1, with_vectors=unit(30)),))

    assert counting.n == 1
    assert np.allclose(book.page.index.likeness(by_thumbnail(read_mark(mark_png(1)).rgba)), 1.0)


def test_a_picture_that_is_gone_leaves_the_page_before(tmp_path: Path) -> None:
    book = LogoBook(READER)
    good, bad = published(tmp_path, "a", 1), published(tmp_path, "b", 2)
    book.teach((good,))
    (bad.folder / "0.png").unlink()

    with pytest.raises(ConfigError, match=r"logo b@1: picture .* cannot be read .*; enrol it again"):
        book.teach((good, bad))
    assert list(book.page.logos) == ["a"]
