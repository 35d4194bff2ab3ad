from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.vision.pdq import SIDE_PX, distance, hash_of, hash_of_square, words_of
from tests.inference.samples_maker import scenery


def test_hashes_are_those_of_the_algorithms_own_library_bit_for_bit() -> None:
    library = pytest.importorskip("pdqhash", reason="pdqhash is in the dependency group peers only")
    for seed in range(12):
        square = np.asarray(cv2.resize(scenery(seed), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
        bits, quality = library.compute(square)
        ours = hash_of_square(square)
        assert int(distance(ours.words, words_of(np.asarray(bits, bool)[::-1]))) == 0
        assert abs(ours.quality - quality) <= 1


def test_a_hash_has_as_many_ones_as_zeros() -> None:
    assert int(np.bitwise_count(hash_of(scenery(3)).words).sum()) == 128


def test_encoding_and_scaling_change_few_bits_and_another_picture_half_of_them() -> None:
    picture = scenery(1)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])
    again = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    small = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    own = hash_of(picture).words
    assert int(distance(own, hash_of(again).words)) <= 10
    assert int(distance(own, hash_of(small).words)) <= 10
    assert 80 <= int(distance(own, hash_of(scenery(2)).words)) <= 176


def test_a_plain_picture_tells_nothing() -> None:
    assert not hash_of(np.full((720, 1280, 3), 90, np.uint8)).telling
    assert hash_of(scenery(1)).telling


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (8, 8), (33, 4000)])
def test_a_picture_of_any_size_is_hashed(size: tuple[int, int]) -> None:
    assert hash_of(np.zeros((*size, 3), np.uint8)).words.shape == (4,)
