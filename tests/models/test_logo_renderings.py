from __future__ import annotations

import numpy as np
import pytest

from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, N_CROP
from models.logo_renderings import Tint, lay, overlay_of, scaled, tinted, view, views


def square(colour: tuple[int, int, int] = (255, 0, 0), side: int = 20):
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[:, :] = (*colour, 255)
    return rgba


def frame(level: int = 16):
    grey = np.full((72, 64), 128, np.uint8)
    grey[:48] = level
    return grey


def test_an_opaque_mark_hides_what_is_behind_it_and_nothing_else():
    under = frame()

    lay(under, overlay_of(square((255, 255, 255)), opacity=1.0), 10, 8)

    assert np.all(under[8:28, 10:30] == 235)
    assert under[:48].astype(int).sum() == 16 * 48 * 64 + (235 - 16) * 400


def test_half_opacity_meets_in_the_middle():
    under = frame(35)

    lay(under, overlay_of(square((255, 255, 255)), opacity=0.5), 10, 8)

    assert under[15, 15] == pytest.approx((35 + 235) / 2, abs=1)


def test_a_mark_at_an_odd_place_keeps_its_colour_and_place():
    under = frame()
    overlay = overlay_of(square((255, 0, 0)), opacity=1.0, shift=(1, 1))

    lay(under, overlay, 10, 8)

    assert under[8, 11] == 16
    assert under[9, 11] > 60
    assert under[9, 10] == 16
    v = under[48:].reshape(2, 24, 32)[1]
    assert v[8, 8] > 220


def test_what_lies_beyond_the_rim_is_cut_off():
    under, untouched = frame(), frame()

    lay(under, overlay_of(square((255, 255, 255)), opacity=1.0), 56, -10)
    lay(untouched, overlay_of(square(), opacity=1.0), 200, 200)

    assert (under[:48] == 235).sum() == 10 * 8
    assert np.array_equal(untouched, frame())


def test_white_is_white_for_a_flat_mark_and_keeps_the_drawing_of_another():
    drawn = square((10, 10, 60))
    drawn[5:15, 5:15, :3] = 250

    assert np.all(tinted(square(), Tint.WHITE)[:, :, :3] == 255)
    changed = tinted(drawn, Tint.WHITE)
    assert changed[10, 10, 0] > changed[0, 0, 0] + 80
    assert np.array_equal(changed[:, :, 3], drawn[:, :, 3])


def test_its_own_colours_are_left_alone():
    assert np.array_equal(tinted(square(), Tint.OWN), square())


def test_scaling_lets_no_colour_bleed_from_where_nothing_is_seen():
    rgba = np.zeros((20, 40, 4), np.uint8)
    rgba[:, :20] = (0, 200, 0, 255)
    rgba[:, 20:] = (255, 0, 255, 0)

    small = scaled(rgba, 10, 5)

    seen = small[:, :, 3] > 20
    assert small[seen][:, 0].max() <= 2
    assert small[seen][:, 1].min() >= 197


def test_a_view_is_a_crop_in_which_the_mark_holds_still():
    shown = view(square((255, 255, 255)), width=80, opacity=1.0, levels=(30.0, 90.0), seed=1)

    assert shown.shape == (N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX)
    middle = (CROP_HEIGHT_PX // 2, CROP_WIDTH_PX // 2)
    assert shown[0][middle] > 200
    assert shown[3][middle] < 2
    assert shown[3][0].mean() > 3


def test_views_come_tint_by_tint_and_are_the_same_each_time():
    mark = square((200, 30, 30), 60)

    shown = views(mark, tints=(Tint.OWN, Tint.WHITE))

    assert len(shown) % 2 == 0
    assert np.array_equal(shown, views(mark, tints=(Tint.OWN, Tint.WHITE)))
    red, white = shown[: len(shown) // 2, 2], shown[len(shown) // 2 :, 2]
    assert red.max() > white.max() + 20
