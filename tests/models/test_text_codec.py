from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ManifestError
from models.text_codec import FIRST, LENGTHS, N_STRANGERS, OVERLAP, PAD, Alphabet, compact, has_letters, length_for, windows

ALPHABET = Alphabet("abc主播 ")


def test_characters_are_numbered_in_the_alphabets_order_and_padded_to_the_next_length():
    ids = ALPHABET.encode("主b")

    assert ids.dtype == np.int32
    assert ids.tolist() == [FIRST + 3, FIRST + 1] + [PAD] * (LENGTHS[0] - 2)


@pytest.mark.parametrize("char", ["龘", "😀", "𠀀", "\ue000", "\ud800"])
def test_a_character_outside_the_alphabet_is_a_stranger_and_always_the_same_one(char):
    first, second = ALPHABET.encode(f"{char}{char}")[:2]

    assert 1 <= first <= N_STRANGERS
    assert first == second


def test_a_character_above_the_basic_plane_does_not_pass_for_one_of_the_alphabet():
    low = Alphabet("\u0041").encode("\U00010041")

    assert low[0] <= N_STRANGERS


def test_strangers_are_spread_over_their_numbers():
    seen = {int(ALPHABET.encode(chr(code))[0]) for code in range(0x5000, 0x5100)}

    assert len(seen) == N_STRANGERS


@pytest.mark.parametrize(("n_characters", "length"), [(0, 16), (16, 16), (17, 32), (128, 128)])
def test_a_text_is_padded_to_the_smallest_length_that_holds_it(n_characters, length):
    assert length_for(n_characters) == length
    assert len(ALPHABET.encode("a" * n_characters)) == length


def test_a_text_over_the_longest_length_is_refused():
    with pytest.raises(ValueError, match="129 characters; cut it to at most 128"):
        ALPHABET.encode("a" * 129)


@pytest.mark.parametrize("characters", ["aa", "a😀"])
def test_an_alphabet_that_cannot_number_is_refused(characters):
    with pytest.raises(ManifestError, match="each character once"):
        Alphabet(characters)


@pytest.mark.parametrize(
    ("text", "short"),
    [("哈哈哈哈哈哈", "哈哈哈"), ("哈哈", "哈哈"), ("  a \t\n b ", "a b"), ("6666!!!!!", "666!!!"), ("", "")],
)
def test_runs_and_blanks_are_shortened(text, short):
    assert compact(text) == short


@given(st.text())
def test_a_compact_text_stays_as_it_is(text):
    assert compact(compact(text)) == compact(text)


@pytest.mark.parametrize(
    ("text", "said"), [("666", False), ("？！…", False), ("😀❤", False), ("", False), ("6哈", True), ("gg", True)]
)
def test_only_letters_say_something(text, said):
    assert has_letters(text) is said


@given(st.text(alphabet="ab", max_size=1000))
def test_windows_cover_a_text_and_overlap(text):
    parts = list(windows(text))

    assert all(len(part) <= LENGTHS[-1] for part in parts)
    assert parts[0] + "".join(part[OVERLAP:] for part in parts[1:]) == text
    assert all(after.startswith(before[-OVERLAP:]) for before, after in itertools.pairwise(parts))


def test_a_text_of_the_longest_length_is_one_window():
    assert list(windows("a" * LENGTHS[-1])) == ["a" * LENGTHS[-1]]
    assert len(list(windows("a" * (LENGTHS[-1] + 1)))) == 2
