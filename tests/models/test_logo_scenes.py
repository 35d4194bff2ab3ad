from __future__ import annotations

import shutil
from random import Random

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pillow is in the dependency groups dev and train")

from models.errors import DataError
from models.logo_cache import SceneCache
from models.logo_fonts import Part
from models.logo_footage import Footage
from models.logo_scenes import draw_cover, draw_scenes, through_codec
from tests.models.logo_footage import write_footage

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="scenes go through the program ffmpeg")


SEED = 20
"""One whose scene is three frames with marks on them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_footage(tmp_path_factory.mktemp("footage"))


@pytest.fixture(scope="module")
def footage(folder):
    return Footage(folder, Part.TRAIN)


@pytest.fixture(scope="module")
def scenes(footage):
    return draw_scenes(SEED, footage, Part.TRAIN, n=1)


def test_a_number_is_always_the_same_scenes(scenes, footage):
    again = draw_scenes(SEED, footage, Part.TRAIN, n=1)

    for a, b in zip(scenes, again, strict=True):
        assert np.array_equal(a.planes.luma, b.planes.luma)
        assert [mark.mark.seed for mark in a.marks] == [mark.mark.seed for mark in b.marks]


def test_marks_lie_on_the_frame_apart_from_each_other(scenes):
    marks = [mark for scene in scenes for mark in scene.marks]

    assert marks
    for mark in marks:
        assert mark.left >= 0
        assert mark.top >= 0
        assert mark.left + mark.width <= 1280
        assert mark.top + mark.height <= 720
    for scene in scenes:
        for at, a in enumerate(scene.marks):
            for b in scene.marks[at + 1 :]:
                apart_x = a.left + a.width <= b.left or b.left + b.width <= a.left
                apart_y = a.top + a.height <= b.top or b.top + b.height <= a.top
                assert apart_x or apart_y


def test_a_cover_hides_one_side_of_a_mark_and_no_more_than_a_third():
    picture = np.zeros((60, 160, 4), np.uint8)
    sides = set()
    for seed in range(60):
        cover = draw_cover(Random(seed), picture)
        rows, columns = cover.rgba.shape[:2]
        assert (cover.rgba[:, :, 3] == 255).all()
        assert rows * columns <= 0.36 * 60 * 160
        assert cover.left in (0, 160 - columns)
        assert cover.top in (0, 60 - rows)
        assert rows == 60 or columns == 160
        sides.add((cover.left > 0, cover.top > 0, rows == 60))
    assert len(sides) == 4


def test_the_two_sides_share_no_footage(folder, footage):
    other = Footage(folder, Part.TEST)

    train = {clip.name for clip in footage._clips}
    test = {clip.name for clip in other._clips}
    assert train == {"bars"}
    assert test == {"flower"}
    assert not any(np.array_equal(a, b) for a in footage._stills for b in other._stills)


def test_the_codec_gives_every_frame_back_a_little_damaged():
    random = np.random.default_rng(0)
    frames = [random.integers(90, 130, (96, 64), dtype=np.uint8) for _ in range(3)]

    decoded = through_codec(frames, rate_factor=30)

    assert [frame.shape for frame in decoded] == [(96, 64)] * 3
    worst = max(float(np.abs(a.astype(int) - b).mean()) for a, b in zip(frames, decoded, strict=True))
    assert 0.0 < worst < 40.0


def test_no_footage_is_said_so(tmp_path):
    with pytest.raises(DataError, match="no clip under"):
        Footage(tmp_path, Part.TRAIN)


def test_a_folder_of_scenes_keeps_what_was_made_and_goes_on(tmp_path, footage):
    cache = SceneCache(tmp_path, Part.TRAIN, n_scenes=1)
    cache.fill(3, footage, keep_on=lambda number: number < 1)
    first = (tmp_path / "train-000000.npz").stat().st_mtime_ns

    cache.make(0, footage)

    assert cache.numbers() == [0]
    assert (tmp_path / "train-000000.npz").stat().st_mtime_ns == first
    assert SceneCache(tmp_path, Part.TEST).numbers() == []


def test_a_stored_scene_is_the_drawn_one(tmp_path, footage):
    cache = SceneCache(tmp_path, Part.TRAIN, n_scenes=1)
    cache.make(26, footage)

    drawn, stored = draw_scenes(26, footage, Part.TRAIN, n=1), cache.read(26)

    for scene, kept in zip(drawn, stored, strict=True):
        assert np.array_equal(kept.planes.edges, scene.planes.edges)
        assert kept.seeds == tuple(mark.mark.seed for mark in scene.marks)
        assert kept.tints == tuple(mark.tint for mark in scene.marks)
        assert kept.boxes.shape == (len(scene.marks), 4)
        assert all(mark.shape[2] == 4 and mark.shape[1] <= 224 for mark in kept.marks)
