from __future__ import annotations

import pytest

from inference.speech.transcript import Token, Transcript, one_after_another, spelt, untimed
from inference.verdicts import Span


def tokens(*texts: str, score: float | None = None) -> list[Token]:
    """Each token takes one second."""
    return [Token(text, float(at), at + 1.0, score) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["▁he", "llo", "加", "微", "信"], "hello加微信"),
        (["▁HELLO", "▁WOR", "LD"], "HELLO WORLD"),
        (["Ġadd", "Ġme"], "add me"),
        ([" add", " me", "."], "add me."),
        (["hel@@", "lo", "wor@@", "ld", "你", "好"], "hello world你好"),
        (["加", "微", "信", "a", "b"], "加微信a b"),
        (["微信", "加"], "微信加"),
        (["<|zh|>", "▁", "加", "<unk>", "群"], "加群"),
        (["<0xE5>", "<0xBE>", "<0xAE>", "信"], "微信"),
        (["▁", "a", "b", "▁", "c"], "ab c"),
        ([], ""),
        (["▁", "<blk>"], ""),
    ],
)
def test_tokens_of_every_kind_of_vocabulary_become_words(pieces, text):
    assert spelt(tokens(*pieces)).text == text


def test_every_word_lies_in_the_text_where_its_span_says():
    transcript = spelt(tokens("▁so", "▁add", "加", "微信", "▁now"))

    assert [transcript.text[word.span.start : word.span.end] for word in transcript.words] == [
        word.text for word in transcript.words
    ]
    assert [word.text for word in transcript.words] == ["so", "add", "加", "微", "信", "now"]


def test_a_word_lasts_from_its_first_piece_to_its_last_and_a_token_of_two_characters_shares_its_time():
    words = spelt(tokens("▁he", "llo", "微信")).words

    assert [(word.text, word.start_s, word.end_s) for word in words] == [("hello", 0.0, 2.0), ("微", 2.0, 2.5), ("信", 2.5, 3.0)]


def test_bytes_that_are_no_character_are_left_out():
    assert spelt(tokens("<0xFF>", "加")).text == "加"


def test_the_words_under_a_span_say_when_it_was_said_and_how_sure_that_is():
    transcript = spelt(
        [Token("加", 1.0, 1.2, 0.9), Token("微", 1.2, 1.4, 0.8), Token("信", 1.4, 1.6, 0.7), Token("吧", 1.6, 2.0, 0.1)]
    )

    said = transcript.at([Span(0, 3)])

    assert said is not None
    assert (said.start_s, said.end_s, said.score) == (1.0, 1.6, pytest.approx(0.8))
    assert transcript.at([Span(9, 11)]) is None
    assert transcript.score == pytest.approx(0.625)


def test_without_scores_there_is_none():
    assert spelt(tokens("加")).score is None
    assert Transcript().score is None


def test_parts_follow_each_other_with_a_space_and_their_spans_move_along():
    joined = one_after_another([spelt(tokens("加", "微")), Transcript(), spelt(tokens("信")).moved(5.0)])

    assert joined.text == "加微 信"
    assert joined.words[-1].span == Span(3, 4)
    assert (joined.words[-1].start_s, joined.words[-1].end_s) == (5.0, 6.0)


def test_a_text_without_times_was_said_somewhere_in_its_stretch():
    transcript = untimed(" add me ", 2.0, 4.0)

    said = transcript.at([Span(4, 6)])

    assert transcript.text == "add me"
    assert said is not None
    assert (said.start_s, said.end_s) == (2.0, 4.0)
    assert untimed("  ", 0.0, 1.0) == Transcript()
