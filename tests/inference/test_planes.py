from __future__ import annotations

import gc

import cv2
import numpy as np
import pytest

from inference.planes import PlanarPicture, planar_bytes
from inference.samples import RgbPicture


def scene(width: int, height: int) -> np.ndarray:
    """Smooth colours with soft shapes: what 4:2:0 carries without loss worth naming."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    rgb = np.stack([255 * x, 255 * y, 255 * (0.5 + 0.5 * np.sin(6 * (x + y)))], axis=-1)
    return rgb.astype(np.uint8)


def planar(rgb: np.ndarray, *, bt709: bool, full_range: bool, **more) -> PlanarPicture:
    """Encode RGB by FFmpeg's scaler: the peer that our conversion is compared with."""
    av = pytest.importorskip("av")
    from av.video.reformatter import VideoReformatter

    space = 1 if bt709 else 5
    frame = VideoReformatter().reformat(
        av.VideoFrame.from_ndarray(rgb, format="rgb24"),
        format="yuv420p",
        src_color_range="JPEG",
        dst_color_range="JPEG" if full_range else "MPEG",
        dst_colorspace=space,
        interpolation="AREA",
    )
    parts = []
    for index, plane in enumerate(frame.planes):
        width, height = (frame.width, frame.height) if not index else ((frame.width + 1) // 2, (frame.height + 1) // 2)
        parts.append(np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width].ravel())
    return PlanarPicture.from_bytes(np.concatenate(parts), (frame.width, frame.height), full_range=full_range, bt709=bt709, **more)


@pytest.mark.parametrize("bt709", [False, True])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(320, 240), (321, 241)])
def test_colours_come_back_under_each_matrix_and_range(bt709, full_range, size):
    rgb = scene(*size)

    back = planar(rgb, bt709=bt709, full_range=full_range).rgb()

    assert back.shape == rgb.shape
    assert np.abs(back.astype(int) - rgb).mean() < 1.5


def test_the_wrong_matrix_would_be_noticed():
    rgb = scene(320, 240)
    picture = planar(rgb, bt709=True, full_range=False)
    wrong = PlanarPicture(picture.y, picture.u, picture.v, full_range=False, bt709=False)

    assert np.abs(wrong.rgb().astype(int) - rgb).mean() > 4


@pytest.mark.parametrize("size", [(640, 640), (320, 180), (224, 224), (1280, 720), (1920, 1080), (100, 700)])
def test_scaling_before_converting_looks_like_converting_before_scaling(size):
    rgb = scene(1280, 720)

    ours = planar(rgb, bt709=True, full_range=False).rgb(size)

    theirs = RgbPicture(rgb).rgb(size)
    assert ours.shape == (size[1], size[0], 3)
    assert np.abs(ours.astype(int) - theirs).mean() < 2.0


@pytest.mark.parametrize("full_range", [False, True])
def test_luma_is_the_brightness_of_the_picture(full_range):
    rgb = scene(640, 360)

    luma = planar(rgb, bt709=False, full_range=full_range).luma((64, 36))

    grey = cv2.cvtColor(cv2.resize(rgb, (64, 36), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    assert np.abs(luma.astype(int) - grey).mean() < 1.5


class Hold:
    def __init__(self):
        self.n_released = 0

    def release(self):
        self.n_released += 1

    def __del__(self):
        self.release()


@pytest.mark.parametrize(
    "look", [lambda p: p.rgb(), lambda p: p.rgb((64, 48)), lambda p: p.luma((320, 240)), lambda p: p.luma((9, 8))]
)
@pytest.mark.parametrize("full_range", [False, True])
def test_what_is_returned_outlives_the_planes(look, full_range):
    buffer = np.full(planar_bytes(320, 240), 100, dtype=np.uint8)
    picture = PlanarPicture.from_bytes(buffer, (320, 240), full_range=full_range, bt709=False)
    seen = look(picture)
    before = seen.copy()

    buffer[:] = 0

    assert np.array_equal(seen, before)


def test_the_memory_is_given_back_when_the_picture_is_gone():
    released = []

    class Lease:
        def release(self):
            released.append(True)

        def __del__(self):
            self.release()

    picture = PlanarPicture.from_bytes(np.zeros(planar_bytes(4, 4), np.uint8), (4, 4), full_range=False, bt709=False, lease=Lease())
    assert not released

    del picture
    gc.collect()

    assert released


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (4, 5), (-4, -4)])
def test_planes_that_do_not_fit_the_size_are_refused(size):
    with pytest.raises(ValueError, match="planes of"):
        PlanarPicture.from_bytes(np.zeros(planar_bytes(4, 4), np.uint8), size, full_range=False, bt709=False)

    with pytest.raises(ValueError, match="planes must be"):
        PlanarPicture(np.zeros((4, 4), np.uint8), np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


def test_black_and_white_of_the_television_range_are_black_and_white():
    for level, expected in ((16, 0), (235, 255)):
        planes = np.full(planar_bytes(8, 8), 128, dtype=np.uint8)
        planes[:64] = level
        picture = PlanarPicture.from_bytes(planes, (8, 8), full_range=False, bt709=True)

        assert (picture.rgb() == expected).all()
        assert (picture.luma((2, 2)) == expected).all()
    assert repr(picture) == "PlanarPicture(8x8, bt709)"
