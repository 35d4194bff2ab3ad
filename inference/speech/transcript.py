"""What was said, as text: words with their times and their place in the text; how a recogniser's tokens become words.

Pure values; who recognises is `transcribe.py` and the adapters beside it.

    tokens     ▁he  llo  加   微  信
    words      hello     加   微  信
    text       hello加微信
    spans      0...5     5 6  6 7 7 8
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference.verdicts import Span

WORD_BEGINS = ("▁", " ", "Ġ")
"""How vocabularies of word pieces mark the beginning of a word."""
GOES_ON = "@@"
"""How others mark that the word goes on in the next piece."""

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPECIAL = re.compile(r"<[^<>]*>")
_ALONE = re.compile(
    r"[\u2e80-\u2eff\u3005-\u3007\u3021-\u3029\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Characters that are written without spaces: Han and kana."""


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a recogniser's answer, spelt as its vocabulary does."""

    text: str
    start_s: float
    end_s: float
    score: float | None = None
    """Probability, 0..1; None where the recogniser tells none."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a transcript, `[start_s, end_s)`; a Han character is a word of its own."""

    text: str
    span: Span
    """Where in the transcript's text, code points."""
    start_s: float
    end_s: float
    score: float | None = None
    """Mean probability of its pieces, 0..1; None where the recogniser tells none."""


@dataclass(frozen=True, slots=True)
class Said:
    """When a part of a transcript was said, and how sure that is."""

    start_s: float
    end_s: float
    score: float | None


@dataclass(frozen=True, slots=True)
class Transcript:
    """The text of some speech, with its words in order."""

    text: str = ""
    words: tuple[Word, ...] = ()

    @property
    def score(self) -> float | None:
        """Mean of the words' scores; None where there is none."""
        return _mean([word.score for word in self.words])

    def moved(self, by_s: float) -> Transcript:
        """Return the same on another timeline, whose zero is `by_s` seconds earlier."""
        words = tuple(replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s) for word in self.words)
        return Transcript(self.text, words)

    def at(self, spans: Sequence[Span]) -> Said | None:
        """Tell when the words under these spans were said; None where no word lies under them."""
        hit = [word for word in self.words if any(word.span.overlaps(span) for span in spans)]
        if not hit:
            return None
        return Said(min(word.start_s for word in hit), max(word.end_s for word in hit), _mean([word.score for word in hit]))


def one_after_another(parts: Sequence[Transcript]) -> Transcript:
    """Join what was said with pauses between into one text, a space for each pause."""
    text, words = "", list[Word]()
    for part in parts:
        if not part.text:
            continue
        text += " " if text else ""
        words += [replace(word, span=Span(word.span.start + len(text), word.span.end + len(text))) for word in part.words]
        text += part.text
    return Transcript(text, tuple(words))


def untimed(text: str, start_s: float, end_s: float) -> Transcript:
    """Make a transcript of a text whose recogniser tells no times: all of it was said in `[start_s, end_s)`, as one word."""
    text = text.strip()
    return Transcript(text, (Word(text, Span(0, len(text)), start_s, end_s),) if text else ())


def spelt(tokens: Sequence[Token]) -> Transcript:
    """Put a recogniser's tokens together: word pieces to words, bytes to characters; marks like `<unk>` are left out."""
    pieces = [piece for token in _characters(tokens) for piece in _apart(token)]
    speller = _Speller(marked=any(piece.text.startswith(WORD_BEGINS) for piece in pieces))
    for piece in pieces:
        speller.take(piece)
    speller.close()
    return Transcript(speller.text, tuple(speller.words))


class _Speller:
    """Writes word pieces one after another."""

    def __init__(self, *, marked: bool) -> None:
        """Begin with nothing; `marked` where pieces say that they begin a word, so that the others go on."""
        self.text = ""
        self.words: list[Word] = []
        self._marked = marked
        self._open: list[Token] = []
        self._begins = self._goes_on = False

    def take(self, piece: Token) -> None:
        """Write one piece, into the open word where it belongs there."""
        self._begins = self._begins or piece.text.startswith(WORD_BEGINS)
        plain = piece.text.lstrip("".join(WORD_BEGINS))
        if not plain:
            return  # the mark alone: the next piece begins a word
        continues = not self._begins if self._marked else self._goes_on
        self._goes_on = plain.endswith(GOES_ON)
        plain = plain.removesuffix(GOES_ON)
        if not continues or _ALONE.match(plain) or (self._open and _ALONE.match(self._open[-1].text)):
            self.close()
        self._open.append(replace(piece, text=plain))
        self._begins = False

    def close(self) -> None:
        """End the open word; a space parts words, but no Han character from its neighbours."""
        if not self._open:
            return
        spelling = "".join(piece.text for piece in self._open)
        if self.text and not _ALONE.match(self.text[-1]) and not _ALONE.match(spelling):
            self.text += " "
        span = Span(len(self.text), len(self.text) + len(spelling))
        score = _mean([piece.score for piece in self._open])
        self.words.append(Word(spelling, span, self._open[0].start_s, self._open[-1].end_s, score))
        self.text += spelling
        self._open.clear()


def _characters(tokens: Sequence[Token]) -> list[Token]:
    """Turn runs of byte tokens into characters and leave out marks."""
    kept: list[Token] = []
    run: list[tuple[int, Token]] = []

    def close() -> None:
        if run:
            text = bytes(value for value, _ in run).decode("utf-8", "ignore")
            kept.append(Token(text, run[0][1].start_s, run[-1][1].end_s, _mean([token.score for _, token in run])))
            run.clear()

    for token in tokens:
        byte = _BYTE.fullmatch(token.text)
        if byte:
            run.append((int(byte[1], 16), token))
            continue
        close()
        if token.text and not _SPECIAL.fullmatch(token.text):
            kept.append(token)
    close()
    return kept


def _apart(token: Token) -> list[Token]:
    """Give every Han character of a token a token of its own, its share of the time."""
    if len(token.text) < 2 or not _ALONE.search(token.text):
        return [token]
    parts = [part for part in re.split(f"({_ALONE.pattern})", token.text) if part]
    each_s = (token.end_s - token.start_s) / len(parts)
    begun = [token.start_s + index * each_s for index in range(len(parts))]
    return [replace(token, text=part, start_s=at_s, end_s=at_s + each_s) for part, at_s in zip(parts, begun, strict=True)]


def _mean(scores: Sequence[float | None]) -> float | None:
    told = [score for score in scores if score is not None]
    return sum(told) / len(told) if told else None
