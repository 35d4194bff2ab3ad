"""All forms in one pass, also where the automaton is built in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.text import automaton
from inference.text.automaton import Found, _search

sounds = st.text(alphabet="abc", min_size=1, max_size=4)


def plain(patterns: list[str], text: str) -> Found:
    """Search as the definition says."""
    spans = [(start, end) for end in range(len(text) + 1) for start in range(end)]
    return [(patterns.index(text[start:end]), start, end) for start, end in spans if text[start:end] in patterns]


@given(st.lists(sounds, min_size=1, max_size=12, unique=True), st.text(alphabet="abcd", max_size=12))
def test_parts_find_together_what_one_would(patterns: list[str], text: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        whole = _search(patterns)(text, overlapping=True)
        patched.setattr(automaton, "PART", 3)
        patched.setattr(automaton, "BREATH_S", 0.0)
        parts = _search(patterns)(text, overlapping=True)

    assert parts == whole == plain(patterns, text)


def test_nothing_is_found_without_patterns() -> None:
    assert _search([])("abc", overlapping=True) == []
