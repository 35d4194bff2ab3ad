from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.logo_codec import crops, packed, planes_of  # noqa: E402
from models.logo_renderings import views  # noqa: E402
from models.networks.logo_device import Sprites, crops_of, gathered, views_of  # noqa: E402
from tests.models.logo_stored import pattern  # noqa: E402


def frames_of(n, height=448, width=768):
    random = np.random.default_rng(4)
    return [random.integers(0, 256, (height * 3 // 2, width), dtype=np.uint8) for _ in range(n)]


def test_crops_are_those_of_the_serving_side_at_the_rim_too():
    planes = planes_of(frames_of(3))
    boxes = np.array([[100, 60, 300, 140], [-9, -4, 60, 30], [700.5, 400.25, 760, 447], [20, 10, 30, 14]], np.float32)

    shown = crops_of(torch.from_numpy(packed(planes))[None], torch.zeros(4, dtype=torch.int64), torch.from_numpy(boxes))

    np.testing.assert_allclose(shown.numpy(), crops(planes, boxes), atol=1e-2)


@pytest.mark.parametrize("n", [1, 4, 7])
def test_frames_are_gathered_as_the_serving_side_gathers_them(n):
    frames = frames_of(n, 64, 96)
    luma = torch.from_numpy(np.stack([frame[:64] for frame in frames])).float()[None]
    chroma = torch.from_numpy(np.stack([frame[64:].reshape(2, 32, 48) for frame in frames])).float()[None]

    found = gathered(luma, chroma)[0].numpy()

    np.testing.assert_array_equal(found, packed(planes_of(frames)))


def test_a_mark_is_enrolled_on_the_device_as_the_serving_side_shows_it():
    mark = pattern(3)
    sheet = np.zeros((1, 4, 112, 224), np.uint8)
    sheet[0, :, : mark.shape[0], : mark.shape[1]] = mark.transpose(2, 0, 1)
    sprites = Sprites(torch.from_numpy(sheet), torch.tensor([[float(mark.shape[0]), float(mark.shape[1])]]))

    shown = views_of(sprites, width=144, dice=torch.Generator().manual_seed(2))[0].numpy()
    served = views(mark, opacities=(1.0,))[1]

    assert shown.shape == served.shape == (6, 40, 96)
    # Grounds and strengths differ, so it is the pattern that must agree: luma, colours, and the shape of the place.
    for plane, least in ((0, 0.9), (1, 0.95), (2, 0.95)):
        assert np.corrcoef(shown[plane].ravel(), served[plane].ravel())[0, 1] > least
    assert shown[5, 0, 0] == pytest.approx(served[5, 0, 0], abs=2.0)


def test_a_tall_mark_is_shown_whole():
    sheet = torch.zeros((1, 4, 112, 224), dtype=torch.uint8)
    sheet[:, :, :, :30] = 255
    sprites = Sprites(sheet, torch.tensor([[112.0, 30.0]]))

    shown = views_of(sprites, width=256, dice=torch.Generator().manual_seed(2))[0]

    middle, rim = shown[0, 20, 48], shown[0, 0, 0]
    assert middle > rim + 5
