from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pillow is in the dependency groups dev and train")

from models.logo_fonts import Part, Script, faces
from models.logo_marks import FAMILY, Kind, draw_mark, mark_seed, part_of

SEEDS = [mark_seed(n * 37, Part.TRAIN) for n in range(24)]


def test_a_seed_is_always_the_same_mark():
    for seed in SEEDS[:6]:
        assert np.array_equal(draw_mark(seed).rgba, draw_mark(seed).rgba)


def test_marks_are_of_every_kind_and_none_is_like_another():
    marks = [draw_mark(seed) for seed in SEEDS]

    assert {mark.kind for mark in marks} == set(Kind)
    assert len({mark.rgba.tobytes() for mark in marks}) == len(SEEDS)


def test_a_mark_is_cut_to_what_is_seen_and_not_too_wide():
    for seed in SEEDS:
        rgba = draw_mark(seed).rgba
        alpha = rgba[:, :, 3]
        assert rgba.ndim == 3
        assert rgba.shape[2] == 4
        assert rgba.shape[1] <= 6.6 * rgba.shape[0]
        assert 0.02 < (alpha > 24).mean() <= 1.0
        assert (alpha[0] > 0).any()
        assert (alpha[:, -1] > 0).any()


def test_a_family_shares_its_kind_but_not_its_picture():
    base = 400 * FAMILY
    family = [draw_mark(mark_seed(base + n, Part.TRAIN)) for n in range(FAMILY)]

    assert len({mark.kind for mark in family}) == 1
    assert len({mark.rgba.tobytes() for mark in family}) == FAMILY


def test_seeds_of_training_and_of_tests_never_meet():
    train = {mark_seed(n, Part.TRAIN) for n in range(1000)}
    test = {mark_seed(n, Part.TEST) for n in range(1000)}

    assert not train & test
    assert {part_of(seed) for seed in train} == {Part.TRAIN}
    assert {part_of(seed) for seed in test} == {Part.TEST}


@pytest.mark.parametrize("script", [Script.LATIN, Script.HAN])
def test_some_fonts_are_kept_from_training_where_there_are_many(script):
    trained, tested = set(faces(script, Part.TRAIN)), set(faces(script, Part.TEST))

    assert trained
    assert trained <= tested
    if len(tested) > 30:
        assert len(trained) < len(tested)
