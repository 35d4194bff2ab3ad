"""Which stretches of a clip a recogniser may hear, and which of its answers are believed: recognisers invent words in silence.

    clip      ....sssss.ss......................sss....      s: speech, by the voice-activity net
    stretch       |------|     quiet, unsure     |-|        near ones together, quiet and doubtful ones left out

Pure decisions; who listens and who recognises is `transcribe.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inference.detectors import SpeechSegment
from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.speech.segments import energy_dbfs
from inference.speech.transcript import Transcript


@dataclass(frozen=True, slots=True)
class GateRules:
    """What is worth a recogniser, and what of its answers is believed."""

    min_energy_dbfs: float = -55.0
    """Quieter stretches are not recognised: nobody in the room hears them either."""
    min_confidence: float = 0.6
    """Mean probability of speech over a stretch, 0..1."""
    join_s: float = 0.5
    """Stretches nearer than this are recognised together, so that words keep their company."""
    max_words_per_s: float = 12.0
    """Nobody speaks faster (Han characters and words of other scripts): more is a recogniser in a loop."""
    min_word_score: float = 0.3
    """Mean probability of the words, where the recogniser tells one; below it the answer is a guess."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A piece of a clip for the recogniser."""

    pcm: Pcm
    """Mono at 16 kHz, shape (T,)."""
    start_s: float
    """Session timeline, seconds."""
    confidence: float
    """Mean probability of speech, 0..1."""

    @property
    def duration_s(self) -> float:
        """Length, seconds."""
        return len(self.pcm) / SAMPLE_RATE_HZ


def worth_hearing(
    segments: Sequence[SpeechSegment], pcm: Pcm, rules: GateRules, *, clip_start_s: float, max_s: float
) -> tuple[Stretch, ...]:
    """Cut the stretches out of a clip that a recogniser shall hear.

    Args:
        segments: where speech is, session timeline, in order.
        pcm: the clip's sound, mono at 16 kHz, shape (T,).
        rules: what is worth it.
        clip_start_s: where the clip begins on the session's timeline, seconds.
        max_s: longest stretch the recogniser takes; longer ones are cut, even inside a word.
    """
    found: list[Stretch] = []
    for segment in _joined(segments, rules.join_s):
        for start_s, end_s in _cut(segment, max_s):
            first, end = (round((at_s - clip_start_s) * SAMPLE_RATE_HZ) for at_s in (start_s, end_s))
            piece = pcm[max(0, first) : max(0, end)]
            if segment.confidence >= rules.min_confidence and energy_dbfs(piece) >= rules.min_energy_dbfs:
                found.append(Stretch(piece, start_s, segment.confidence))
    return tuple(found)


def believable(transcript: Transcript, duration_s: float, rules: GateRules) -> bool:
    """Tell whether what a recogniser answered to so many seconds may have been said."""
    if not transcript.words or len(transcript.words) > rules.max_words_per_s * max(duration_s, 1.0):
        return False
    return transcript.score is None or transcript.score >= rules.min_word_score


def _joined(segments: Sequence[SpeechSegment], join_s: float) -> list[SpeechSegment]:
    """Join near neighbours; the confidence is the mean by length."""
    joined: list[SpeechSegment] = []
    for segment in segments:
        if joined and segment.start_s - joined[-1].end_s < join_s:
            before = joined.pop()
            spoken = (before.end_s - before.start_s, segment.end_s - segment.start_s)
            mean = (before.confidence * spoken[0] + segment.confidence * spoken[1]) / max(sum(spoken), 1e-9)
            joined.append(SpeechSegment(before.start_s, segment.end_s, mean))
        else:
            joined.append(segment)
    return joined


def _cut(segment: SpeechSegment, max_s: float) -> Iterator[tuple[float, float]]:
    """Cut a stretch into equal pieces of at most `max_s`."""
    duration_s = segment.end_s - segment.start_s
    n_pieces = max(1, -int(-duration_s // max_s))
    for index in range(n_pieces):
        yield segment.start_s + duration_s * index / n_pieces, segment.start_s + duration_s * (index + 1) / n_pieces
