"""Terms of the word lists heard in a clip, found in the answers of the acoustic model: no training for a new term, no transcript.

    clip -> energy gate -> voice activity -> stretches of speech -> features -> lane of the acoustic model -> posteriors -> spotting

What is quiet, or no speech, never reaches the acoustic model; where the network does not know what it hears, its answer counts for
nothing. A finding says which term, when, how surely, and the sounds that were heard there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.detectors import Outputs, StagedDetector, timings_of
from inference.host import Host
from inference.lanes import Lane
from inference.samples import AudioClip, Modality
from inference.speech.confidence import MOST_OF_TWO, SpottingRules
from inference.speech.hearing import HeardLine, HeardTerm, line_of, listen
from inference.speech.homophones import Homophones
from inference.speech.pronouncing import Pronouncer, Spoken
from inference.speech.segments import energy_dbfs
from inference.speech.stretches import Piece, Posteriors, pieces_of, start_s, stretches_of
from inference.speech.vocabulary import Listed, NamedList, Vocabulary
from inference.speech.voice import Chunked, VoiceActivity, clean
from inference.text.check import LEVEL_SCORES
from inference.tickets import Timing
from inference.verdicts import Finding, Heard, TextMatch
from models.manifest import Manifest
from models.speech_codec import N_MELS, SILENCE, UNITS, log_mels

log = logging.getLogger(__name__)

MIN_ENERGY_DBFS = -60.0
"""A quieter clip is silence to whoever listens, and is not looked into."""

AT_ONCE = 8
"""Pieces of one clip that wait in the lane together: a window has a few at most, and a long clip must not fill the queue."""

SPOKEN = "spoken"
"""The transform that a finding names: the term was not written but said."""


class Generation(Protocol):
    """One generation of word lists; never changes."""

    @property
    def lists(self) -> Sequence[NamedList]:
        """Word lists."""
        ...

    @property
    def allowed(self) -> Sequence[str]:
        """Phrases that suppress what they overlap."""
        ...


@dataclass(frozen=True, slots=True)
class TermSource:
    """Where the terms come from that are listened for."""

    in_force: Callable[[], Generation]
    """The present generation: the same one until the lists are swapped."""
    pronouncer: Pronouncer
    utc: Callable[[], datetime]
    """Now: expired terms do not count."""
    homophones: Homophones | None = None
    """Ordinary words that sound like a term; None: nobody is told of them."""


@dataclass(frozen=True, slots=True, eq=False)
class AcousticModel:
    """The lane of the acoustic model and what its manifest says."""

    lane: Lane
    manifest: Manifest

    @property
    def features(self) -> str:
        """Name of its input."""
        return self.manifest.inputs[0].name

    @property
    def log_probs(self) -> str:
        """Name of its output."""
        return self.manifest.outputs[0].name


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SpeechOutputs(Outputs):
    """What the acoustic model heard in one clip."""

    posteriors: Posteriors


class KeywordDetector(StagedDetector[AudioClip, Chunked, SpeechOutputs]):
    """Listens for every term that counts in scene `asr`; the lists may be swapped at any time."""

    name = "spotting"
    modality = Modality.AUDIO
    takes = AudioClip

    def __init__(
        self, model: AcousticModel, voice: VoiceActivity, source: TermSource, *, host: Host, labels: frozenset[str]
    ) -> None:
        """Bind to a lane.

        Args:
            model: the acoustic model.
            voice: says where speech is.
            source: the terms.
            host: threads and clock.
            labels: every code a list may use.

        Raises:
            ManifestError: a number is missing.
        """
        super().__init__(host, labels)
        self._model = model
        self.voice = voice
        """Says where speech is."""
        self._source = source
        self.rules = SpottingRules.of(model.manifest)
        """What the model's manifest says of spotting."""
        self._lock = threading.Lock()
        self._of: Generation | None = None
        self._vocabulary: Vocabulary | None = None

    def prepare(self, sample: AudioClip) -> Chunked:
        """Cut into chunks for the voice-activity net; a quiet clip has none."""
        if energy_dbfs(clean(sample)) < MIN_ENERGY_DBFS:
            return Chunked(sample, np.zeros((0, 0), np.float32), 0)
        return self.voice.prepare(sample)

    async def infer(self, prepared: Chunked, *, deadline_s: float | None) -> SpeechOutputs:
        """Find speech, then let the acoustic model hear it."""
        clip = prepared.clip
        voiced = await self.voice.listen(prepared, deadline_s=deadline_s)
        if not len(voiced.probabilities):
            return SpeechOutputs(posteriors=Posteriors.joined([], len(UNITS)))
        stretches = await self._host.run(
            self.name, lambda: stretches_of(self.voice.speech(voiced, clip).segments, clip), deadline_s=deadline_s
        )
        pieces = [piece for stretch in stretches for piece in pieces_of(stretch)]
        heard: list[NDArray[np.float32]] = []
        timings = list(voiced.timings)
        for first in range(0, len(pieces), AT_ONCE):
            answers, timing = await self._hear(pieces[first : first + AT_ONCE], clip, deadline_s=deadline_s)
            heard += answers
            timings += timing
        row = iter(heard)
        joined = [(stretch, np.concatenate([next(row) for _ in pieces_of(stretch)])) for stretch in stretches]
        return SpeechOutputs(posteriors=Posteriors.joined(joined, len(UNITS)), timings=tuple(timings))

    def findings(self, outputs: SpeechOutputs, sample: AudioClip) -> tuple[Finding, ...]:
        """What is said of the lists' terms, in the order of time; one finding a label and place."""
        now = self._source.utc()
        vocabulary = self.vocabulary()
        heard = listen(outputs.posteriors, vocabulary, self.rules)
        return tuple(
            self._finding(one, listed, vocabulary.spoken[one.hit.path], outputs.posteriors, sample)
            for one in heard
            for listed in one.listed
            if listed.term.counts_at(now)
        )

    def vocabulary(self) -> Vocabulary:
        """Return what is listened for now; worked out once for each generation of lists."""
        generation = self._source.in_force()
        with self._lock:
            if self._vocabulary is None or self._of is not generation:
                self._vocabulary = Vocabulary.of(generation.lists, generation.allowed, self._source.pronouncer)
                self._of = generation
                log.info("listening for terms", extra={"n_terms": self._vocabulary.n_terms, **_counts(self._vocabulary)})
            return self._vocabulary

    @property
    def pronouncer(self) -> Pronouncer:
        """Says terms."""
        return self._source.pronouncer

    def try_out(self, outputs: SpeechOutputs, vocabulary: Vocabulary, *, share: float) -> tuple[HeardTerm, ...]:
        """Listen for another vocabulary; a share above 1 tells what falls short of the floors too."""
        return listen(outputs.posteriors, vocabulary, self.rules, share=share)

    def line(self, outputs: SpeechOutputs, heard: HeardTerm) -> HeardLine:
        """Write the sounds heard around a term."""
        return line_of(outputs.posteriors, heard.hit, self._source.pronouncer)

    def _finding(self, one: HeardTerm, listed: Listed, spoken: Spoken, posteriors: Posteriors, sample: AudioClip) -> Finding:
        line = line_of(posteriors, one.hit, self._source.pronouncer)
        begun_s = start_s(one.first, sample)
        alike = self._source.homophones.of(spoken.syllables, listed.term.text) if self._source.homophones else ()
        sure = min(one.confidence, MOST_OF_TWO) if alike else one.confidence  # another word may have been meant: for a person
        return Finding(
            listed.term.label,
            round(min(sure, LEVEL_SCORES[listed.term.level]), 4),
            self.modality,
            self.name,
            begun_s,
            model=self._model.lane.session.ref,
            text=line.text,
            match=TextMatch(listed.ref, listed.term.text, (line.span,), line.inside, (SPOKEN,)),
            heard=Heard(begun_s, min(start_s(one.end, sample), sample.end_s), line.inside, alike),
        )

    async def _hear(
        self, pieces: Sequence[Piece], clip: AudioClip, *, deadline_s: float | None
    ) -> tuple[list[NDArray[np.float32]], tuple[Timing, ...]]:
        """Let the acoustic model hear some pieces at once; of each its own frames."""
        features = await self._host.run(self.name, lambda: list(_features(pieces, clip)), deadline_s=deadline_s)
        tickets = [self._model.lane.submit({self._model.features: rows}, deadline_s=deadline_s) for rows in features]
        answers = [(await ticket)[self._model.log_probs] for ticket in tickets]
        own = [answer[piece.own - piece.first : piece.own_end - piece.first] for piece, answer in zip(pieces, answers, strict=True)]
        return own, timings_of(tickets)


def _features(pieces: Sequence[Piece], clip: AudioClip) -> Iterator[NDArray[np.float32]]:
    """Yield the features of pieces, padded with silence to their sizes. CPU work."""
    pcm = clean(clip)
    return (_padded(log_mels(pcm[piece.pcm]), piece.size) for piece in pieces)


def _padded(features: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    rows = np.full((size, N_MELS), SILENCE, np.float32)
    rows[: len(features)] = features[:size]
    return rows


def _counts(vocabulary: Vocabulary) -> dict[str, int]:
    return {f"n_{reason}": n_terms for reason, n_terms in vocabulary.left_out.items()}
