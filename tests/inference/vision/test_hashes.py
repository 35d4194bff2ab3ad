from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.vision.hashes import MAX_DISTANCE, HashIndex, spellings_of
from inference.vision.pdq import N_BITS, Words, distance, hash_of
from tests.inference.samples_maker import scenery


def some_words(n: int, seed: int = 0) -> Words:
    return np.random.default_rng(seed).integers(0, 2**64, (n, 4), np.uint64)


def turned(word: Words, n_bits: int, seed: int) -> Words:
    """The hash with so many of its bits turned."""
    bits = np.unpackbits(word.view(np.uint8))
    bits[np.random.default_rng(seed).choice(N_BITS, n_bits, replace=False)] ^= 1
    return np.packbits(bits).view(np.uint64)


def index_of(words: Words) -> HashIndex:
    return HashIndex.of(words, np.arange(len(words), dtype=np.int32))


@pytest.mark.parametrize("n_bits", [0, 1, 12, 24, 31])
def test_every_hash_within_the_distance_is_found_wherever_the_bits_are(n_bits: int) -> None:
    words = some_words(3000)
    index = index_of(words)
    for place in range(0, 3000, 60):
        near = index.nearest(turned(words[place], n_bits, seed=place))
        assert near is not None
        assert (near.owner, near.distance) == (place, n_bits)


def test_bits_gathered_in_few_bands_are_found_too() -> None:
    words = some_words(200)
    bits = np.unpackbits(words[7].view(np.uint8))
    bits[:31] ^= 1
    near = index_of(words).nearest(np.packbits(bits).view(np.uint64))
    assert near is not None
    assert (near.owner, near.distance) == (7, 31)


def test_the_index_answers_as_comparing_with_every_hash_does() -> None:
    words = some_words(500)
    index = index_of(words)
    for seed in range(100):
        asked = turned(words[seed], 20 + seed % 20, seed)
        bits = distance(asked, words)
        near = index.nearest(asked)
        if bits.min() <= MAX_DISTANCE:
            assert near is not None
            assert near.distance == bits.min()
        else:
            assert near is None


def test_nothing_is_near_in_an_empty_index() -> None:
    assert HashIndex().nearest(some_words(1)[0]) is None
    assert len(HashIndex.of(np.zeros((0, 4), np.uint64), np.zeros(0, np.int32))) == 0


def test_more_bits_than_the_index_promises_are_refused() -> None:
    with pytest.raises(ValueError, match="at_most 32"):
        index_of(some_words(3)).nearest(some_words(1)[0], at_most=32)


def test_owners_must_be_as_many_as_hashes() -> None:
    with pytest.raises(ValueError, match="2 owners"):
        HashIndex.of(some_words(3), np.zeros(2, np.int32))


def test_a_picture_is_known_again_encoded_halved_cropped_and_mirrored() -> None:
    picture = scenery(4)
    words = np.stack([hashed.words for hashed in spellings_of(picture)])
    index = HashIndex.of(words, np.zeros(len(words), np.int32))
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])
    changed = [
        np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8),
        np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5), np.uint8),
        picture[29:691, 51:1229],
        picture[:, 70:],
        np.ascontiguousarray(picture[:, ::-1]),
    ]
    assert all(index.nearest(hash_of(one).words) is not None for one in changed)
    assert all(index.nearest(hash_of(scenery(seed)).words) is None for seed in range(10, 40))


def test_a_plain_picture_has_no_hash_to_be_known_by() -> None:
    assert spellings_of(np.zeros((720, 1280, 3), np.uint8)) == []
