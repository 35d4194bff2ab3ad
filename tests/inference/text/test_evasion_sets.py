"""The evasion sets themselves: reproducible, without doubles, readable back."""

from __future__ import annotations

import pytest

from tests.inference.text.evasion_sets.make import positives as made
from tests.inference.text.evasion_sets.rows import Half, Row, hidden, read, shown, table
from tests.inference.text.evasions import negatives, of_half, positives


def test_the_generated_rows_are_those_the_generator_makes() -> None:
    kept = read("positives.tsv", "technique")

    assert made() == kept


@pytest.mark.parametrize("rows", [positives(), negatives()], ids=["positives", "negatives"])
def test_no_text_stands_in_a_set_twice(rows: list[Row]) -> None:
    texts = [row.text for row in rows]

    assert len(set(texts)) == len(texts)


def test_no_text_is_both_disguised_and_innocent() -> None:
    assert not {row.text for row in positives()} & {row.text for row in negatives()}


def test_every_term_is_disguised_and_has_innocent_neighbours_of_nearly_every_kind() -> None:
    terms = {line["term"] for line in table("carriers.tsv")}

    kinds = {term: [row.kind for row in negatives() if row.term == term] for term in terms}

    assert terms <= {row.term for row in positives()}
    assert [term for term in terms if len(kinds[term]) < 6 or len(set(kinds[term])) < 5] == []


def test_a_span_is_part_of_its_text() -> None:
    assert [row for row in positives() if row.span not in row.text] == []


def test_a_negative_about_word_boundaries_has_the_term_as_written() -> None:
    boundary = [row for row in negatives() if row.kind == "boundary" and row.term]

    assert [row.text for row in boundary if row.term.lower() not in row.text.lower()] == []


def test_both_halves_hold_a_fair_part_of_each_set() -> None:
    for rows in (positives(), negatives()):
        assert 0.4 < len(of_half(rows, Half.DEV)) / len(rows) < 0.6


@pytest.mark.parametrize("text", ["a\u200bb", "\\", "\u00a0x\u3000", "e\u0301", "\\u{41}", "❤\ufe0f"])
def test_hidden_characters_survive_writing_and_reading(text: str) -> None:
    assert hidden(shown(text)) == text
    assert "\u200b" not in shown(text)
