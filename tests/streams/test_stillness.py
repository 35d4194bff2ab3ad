"""A still picture is not paid for twice; anything that appears on it is."""

import cv2
import numpy as np
import pytest

from inference.samples import Pixels, RgbPicture
from streams.stillness import GRID, MAX_CELL_CHANGE, LastLook, Signature

HEIGHT, WIDTH = 720, 1280


def screen() -> Pixels:
    """A game-like still: a smooth backdrop with some structure."""
    ramp = np.linspace(20, 200, WIDTH, dtype=np.float32)[None, :] + np.linspace(0, 40, HEIGHT, dtype=np.float32)[:, None]
    pixels = np.repeat(ramp.astype(np.uint8)[:, :, None], 3, axis=2)
    cv2.circle(pixels, (400, 300), 120, (30, 160, 60), -1)
    return pixels


def signature(pixels: Pixels) -> Signature:
    return Signature.of(RgbPicture(pixels))


def test_a_signature_has_one_cell_for_each_part_of_the_grid():
    assert signature(screen()).cells.shape == (GRID[1], GRID[0])


def test_a_still_picture_encoded_again_is_the_same():
    pixels = screen()
    noise = np.random.default_rng(1).integers(-3, 4, pixels.shape)
    ok, jpeg = cv2.imencode(".jpg", np.clip(pixels + noise, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])
    assert ok

    again = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), dtype=np.uint8)

    assert signature(pixels).same(signature(again))


@pytest.mark.parametrize(("text", "scale"), [("VX 88888", 0.8), ("1", 1.0)])
def test_small_text_that_appears_on_a_still_picture_makes_it_another(text: str, scale: float):
    pixels = screen()
    cv2.putText(pixels, text, (1000, 650), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 2)

    assert not signature(screen()).same(signature(pixels))


def test_a_picture_of_another_size_compares_by_what_it_shows():
    small = np.asarray(cv2.resize(screen(), (640, 360), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    assert signature(screen()).same(signature(small))


def test_one_cell_above_the_bound_is_a_change_in_either_direction():
    cells = np.full((GRID[1], GRID[0]), 250, dtype=np.uint8)
    at_bound, above = cells.copy(), cells.copy()
    at_bound[3, 5] -= MAX_CELL_CHANGE
    above[3, 5] -= MAX_CELL_CHANGE + 1

    assert Signature(cells).same(Signature(at_bound))
    assert not Signature(cells).same(Signature(above))
    assert not Signature(above).same(Signature(cells))


def test_the_last_look_answers_until_it_is_too_old():
    still = signature(screen())
    last = LastLook(still, looked_s=100.0)

    assert last.still_holds(still, now_s=129.9, force_every_s=30.0)
    assert not last.still_holds(still, now_s=130.0, force_every_s=30.0)


def test_the_last_look_does_not_answer_for_another_picture():
    last = LastLook(signature(screen()), looked_s=100.0)
    other = signature(np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8))

    assert not last.still_holds(other, now_s=101.0, force_every_s=30.0)
