from __future__ import annotations

import numpy as np
import pytest

from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, MARGIN, N_CROP, crops, packed, planes_of, resized


def frames_of(n: int, width: int = 64, height: int = 48, seed: int = 1):
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (height * 3 // 2, width), dtype=np.uint8) for _ in range(n)]


@pytest.mark.parametrize("n", range(1, 11))
def test_luma_and_colour_are_the_median_pixel_by_pixel_for_any_number_of_frames(n):
    frames = frames_of(n)

    planes = planes_of(frames)

    wanted = np.sort(np.stack(frames), axis=0)[n // 2]
    assert np.array_equal(planes.luma, wanted[:48])
    assert np.array_equal(planes.chroma, wanted[48:].reshape(2, 24, 32))


def test_frames_are_left_as_they_were():
    frames = frames_of(5)
    before = [frame.copy() for frame in frames]

    planes_of(frames)

    assert all(np.array_equal(a, b) for a, b in zip(frames, before, strict=True))


def test_spread_is_how_far_luma_went_without_the_outermost_frames():
    frames = [np.full((72, 64), level, np.uint8) for level in (0, 100, 102, 104, 106, 110, 255)]

    planes = planes_of(frames)

    assert np.all(planes.spread == 10)


def test_one_frame_alone_has_no_spread():
    assert not planes_of(frames_of(1)).spread.any()


def test_an_edge_stays_only_where_every_frame_has_it():
    frames = [np.full((72, 64), 50, np.uint8) for _ in range(3)]
    for frame in frames:
        frame[10:20, 10:20] = 200
    frames[0][30:40, 30:40] = 200

    edges = planes_of(frames).edges

    assert edges[5, 4] == 150  # the rim of what stands on all
    assert edges[15, 14] == 0  # the rim of what stood on one


def test_packing_keeps_every_pixel_of_luma():
    planes = planes_of(frames_of(3))

    together = packed(planes)

    assert together.shape == (8, 24, 32)
    assert together.dtype == np.uint8
    back = np.empty_like(planes.luma)
    back[0::2, 0::2], back[0::2, 1::2], back[1::2, 0::2], back[1::2, 1::2] = together[:4]
    assert np.array_equal(back, planes.luma)
    assert np.array_equal(together[4:6], planes.chroma)


def test_a_crop_shows_the_place_with_a_margin_at_one_size():
    frame = np.full((72, 64), 40, np.uint8)
    frame[16:32, 16:48] = 200
    planes = planes_of([frame])

    shown = crops(planes, np.array([[16, 16, 48, 32]], np.float32))

    assert shown.shape == (1, N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX)
    row, column = CROP_HEIGHT_PX // 2, CROP_WIDTH_PX // 2
    assert shown[0, 0, row, column] == pytest.approx(200)
    assert shown[0, 0, row, 1] == pytest.approx(40)
    inside = (shown[0, 0, row] > 120).mean()
    assert inside == pytest.approx(1 / (1 + 2 * MARGIN), abs=0.03)


def test_a_crop_tells_the_shape_of_its_place():
    planes = planes_of(frames_of(1))

    wide, square = crops(planes, np.array([[0, 0, 32, 8], [0, 0, 16, 16]], np.float32))

    assert np.all(square[5] == 128)
    assert np.all(wide[5] == 128 + 32 * 2)


def test_a_crop_beyond_the_rim_repeats_it():
    planes = planes_of([np.full((72, 64), 77, np.uint8)])

    shown = crops(planes, np.array([[-40, -40, 10, 5], [60, 44, 90, 70]], np.float32))

    assert np.allclose(shown[:, :5][:, 0], 77)


def test_resizing_keeps_the_mean_of_what_shrinks():
    plane = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)

    small = resized(plane, 12, 8)

    assert small.shape == (8, 12)
    assert small.mean() == pytest.approx(plane.mean(), rel=0.03)
    assert small.std() < plane.std() / 2


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([], "at least one"),
        ([np.zeros((70, 64), np.uint8)], "multiples of 16"),
        ([np.zeros((72, 60), np.uint8)], "multiples of 16"),
        ([np.zeros((72, 64), np.uint8), np.zeros((72, 80), np.uint8)], "of one size"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames, said):
    with pytest.raises(ValueError, match=said):
        planes_of(frames)
