from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.samples import Pixels, RgbPicture
from inference.verdicts import Box
from inference.vision.layout import WHOLE, Layout, find_layout, layout_of
from tests.inference.layouts_maker import fitted, grid, inset, letterboxed, side_by_side, with_blurred_sides
from tests.inference.samples_maker import scenery


def scene(seed: int) -> Pixels:
    """A busy picture with detail, unlike its neighbours in brightness."""
    detail = np.random.default_rng(seed).normal(0, 14, (180, 320, 1)).astype(np.float32)
    rough = scenery(seed, width=320, height=180) + detail + (40 if seed % 2 else -40)
    return np.asarray(cv2.resize(np.clip(rough, 0, 255).astype(np.uint8), (1280, 720)), np.uint8)


def sent(pixels: Pixels) -> Layout:
    """The layout of what a stream's codec leaves of a frame."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return layout_of(RgbPicture(np.asarray(decoded, np.uint8)))


def assert_near(box: Box, x: float, y: float, w: float, h: float) -> None:
    assert (box.x, box.y, box.w, box.h) == pytest.approx((x, y, w, h), abs=0.02)


def test_a_picture_without_bars_or_seams_is_left_whole() -> None:
    assert all(sent(scene(seed)).plain for seed in range(6))


@pytest.mark.parametrize("height", [540, 404, 640])
def test_black_bars_above_and_below_are_stripped(height: int) -> None:
    layout = sent(letterboxed(scene(1), height))
    assert_near(layout.content, 0.0, (1 - height / 720) / 2, 1.0, height / 720)
    assert layout.tiles == ()


def test_bars_of_a_still_colour_at_the_sides_are_stripped() -> None:
    canvas = np.full((720, 1280, 3), (30, 90, 60), np.uint8)
    canvas[:, 437:842] = fitted(scene(3), 405, 720)
    assert_near(sent(canvas).content, 437 / 1280, 0.0, 405 / 1280, 1.0)


@pytest.mark.parametrize("width", [406, 540])
def test_blurred_bars_beside_an_upright_picture_are_stripped(width: int) -> None:
    layout = sent(with_blurred_sides(scene(5), width))
    assert_near(layout.content, (1 - width / 1280) / 2, 0.0, width / 1280, 1.0)


def test_a_split_screen_gives_a_tile_for_each_side() -> None:
    layout = sent(side_by_side(scene(1), scene(2)))
    assert [tile.name for tile in layout.tiles] == ["tile", "tile"]
    assert_near(layout.tiles[0], 0.0, 0.0, 0.5, 1.0)
    assert_near(layout.tiles[1], 0.5, 0.0, 0.5, 1.0)


@pytest.mark.parametrize("n", [2, 3])
def test_a_grid_gives_a_tile_for_each_cell(n: int) -> None:
    # Brightness alternates, so that neighbours differ as neighbours on real screens do.
    pictures = [scene(2 * k + (k // n + k % n) % 2) for k in range(n * n)]
    layout = sent(grid(pictures, n))
    assert len(layout.tiles) == n * n
    for tile in layout.tiles:
        assert (tile.w, tile.h) == pytest.approx((1 / n, 1 / n), abs=0.02)


def test_a_webcam_in_a_corner_is_an_inset() -> None:
    layout = sent(inset(scene(1), scene(2), x=960, y=500, width=320, height=220))
    assert [tile.name for tile in layout.tiles] == ["inset"]
    assert_near(layout.tiles[0], 960 / 1280, 500 / 720, 320 / 1280, 220 / 720)


def test_a_split_screen_within_bars_is_found_within_them() -> None:
    canvas = np.zeros((720, 1280, 3), np.uint8)
    canvas[120:600] = cv2.resize(side_by_side(scene(1), scene(2)), (1280, 480))
    layout = sent(canvas)
    assert_near(layout.content, 0.0, 120 / 720, 1.0, 480 / 720)
    assert [(round(tile.x, 2), round(tile.y, 2)) for tile in layout.tiles] == [(0.0, 0.17), (0.5, 0.17)]


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (320, 3), (3, 320), (180, 320), (320, 180)])
@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_of_one_colour_is_left_whole_whatever_its_size(size: tuple[int, int], level: int) -> None:
    assert find_layout(np.full(size, level, np.uint8)).plain


def test_the_same_plane_gives_the_same_layout_and_is_not_written_to() -> None:
    plane = RgbPicture(side_by_side(scene(1), scene(2))).luma((320, 180))
    before = plane.copy()
    assert find_layout(plane) == find_layout(plane)
    np.testing.assert_array_equal(plane, before)


def test_the_largest_tiles_are_looked_at_first() -> None:
    tiles = tuple(Box(0, 0, side, side, name="tile") for side in (0.2, 0.4, 0.3))
    layout = Layout(WHOLE.content, tiles)
    assert [round(part.w, 1) for part in layout.parts(2)] == [1.0, 0.4, 0.3]
    assert layout.parts(0) == (WHOLE.content,)


@pytest.mark.parametrize("width", [240, 320, 420])
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_webcam_is_found_in_every_corner_and_size(width: int, corner: tuple[int, int]) -> None:
    height = width * 3 // 4
    x, y = corner[0] * (1280 - width), corner[1] * (720 - height)
    layout = sent(inset(scene(3), scene(4), x=x, y=y, width=width, height=height))
    assert [tile.name for tile in layout.tiles] == ["inset"]
    assert_near(layout.tiles[0], x / 1280, y / 720, width / 1280, height / 720)


def test_a_panel_whose_sides_go_on_beyond_its_corners_is_part_of_the_scene() -> None:
    pixels = scene(1).copy()
    for at in (300, 700):
        cv2.line(pixels, (at, 0), (at, 719), (255, 255, 255), 6)
    for at in (200, 500):
        cv2.line(pixels, (0, at), (1279, at), (255, 255, 255), 6)
    assert all(tile.name != "inset" for tile in sent(pixels).tiles)
