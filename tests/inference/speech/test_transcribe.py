from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from inference.errors import NotReady
from inference.host import Host
from inference.samples import SAMPLE_RATE_HZ, Modality, Pcm, Scene
from inference.speech.transcribe import TranscriptDetector
from inference.speech.transcript import Token, Transcript, spelt, untimed
from inference.speech.voice import VoiceActivity
from inference.text.check import TextChecker
from inference.verdicts import Finding, ModelRef
from tests.inference.samples_maker import clip
from tests.inference.speech.voices import loud_voice


class Scripted:
    """A recogniser that answers from a script, one answer per stretch."""

    ref = ModelRef("scripted", "1", "0" * 64)
    max_s = 10.0

    def __init__(self, *answers: Transcript | Exception) -> None:
        self._answers = iter(answers)
        self.heard_s: list[float] = []

    async def transcribe(self, pcm: Pcm, *, deadline_s: float | None) -> Transcript:
        self.heard_s.append(round(len(pcm) / SAMPLE_RATE_HZ, 1))
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def said(text: str, *, score: float | None = 0.9) -> Transcript:
    """A character each 0.2 s, the first at once."""
    return spelt([Token(char, at / 5, (at + 1) / 5, score) for at, char in enumerate(text)])


def sound(*parts: tuple[float, bool]) -> Pcm:
    """Loud and silent parts, seconds each."""
    rng = np.random.default_rng(0)
    pieces = [rng.normal(0, 0.1 if is_loud else 0.0, int(seconds * SAMPLE_RATE_HZ)) for seconds, is_loud in parts]
    return np.concatenate(pieces).astype(np.float32)


@pytest.fixture(scope="module")
def voice() -> Iterator[VoiceActivity]:
    with loud_voice() as voice:
        yield voice


@pytest.fixture(scope="module")
def checker() -> TextChecker:
    return TextChecker.load()


def detector(transcriber: Scripted, voice: VoiceActivity, checker: TextChecker, host: Host) -> TranscriptDetector:
    return TranscriptDetector(transcriber, voice, checker.findings, host=host, text_labels=frozenset({"ads.contact"}))


async def test_words_on_a_list_are_found_with_their_place_and_their_time(voice, checker, host):
    transcriber = Scripted(said("大家加微信看更多"))
    pcm = sound((1.024, False), (2.048, True), (1.0, False))

    detection = await detector(transcriber, voice, checker, host).detect(clip(pcm, start_s=100.0))

    (finding,) = [one for one in detection.findings if one.match and one.match.matched == "加微信"]
    assert (finding.modality, finding.detector, finding.text) == (Modality.AUDIO, "asr", "大家加微信看更多")
    assert [(span.start, span.end) for span in finding.match.spans] == [(2, 5)]
    assert finding.heard is not None
    assert finding.heard.start_s == pytest.approx(100 + 1.024 - 0.03 + 0.4, abs=0.01)  # padded stretch, third character
    assert finding.heard.end_s == pytest.approx(finding.heard.start_s + 0.6, abs=0.01)
    assert finding.pts_s == finding.heard.start_s
    assert str(finding.model) == "scripted@1"
    assert transcriber.heard_s == [2.1]


async def test_a_finding_is_as_sure_as_its_words(voice, checker, host):
    plain = checker.findings("加微信", Scene.ASR)[0].score
    scores: list[float] = []
    for score in (0.9, 0.5, None):
        found = await detector(Scripted(said("加微信", score=score)), voice, checker, host).detect(clip(sound((2.048, True))))
        scores += [finding.score for finding in found.findings]

    assert scores == [pytest.approx(plain * sure, abs=1e-3) for sure in (0.9, 0.5, 0.9)]  # voice activity says 0.9


async def test_silence_and_what_nobody_can_hear_never_reach_the_recogniser(voice, checker, host):
    transcriber = Scripted()

    for pcm in (np.zeros(0, np.float32), sound((4.0, False)), np.full(16_000, np.nan, np.float32)):
        detection = await detector(transcriber, voice, checker, host).detect(clip(pcm))
        assert (detection.findings, detection.extras.transcript) == ((), Transcript())

    assert transcriber.heard_s == []


async def test_what_is_said_with_pauses_is_read_as_one_text(voice, checker, host):
    transcriber = Scripted(said("加微"), said("信"))
    pcm = sound((1.024, True), (1.024, False), (1.024, True))

    detection = await detector(transcriber, voice, checker, host).detect(clip(pcm))

    (finding,) = detection.findings
    assert (finding.text, finding.match.term if finding.match else None) == ("加微 信", "加微信")
    assert finding.heard is not None
    assert finding.heard.start_s < 0.1
    assert finding.heard.end_s > 2.0


async def test_an_answer_that_cannot_have_been_said_is_dropped_and_counted(voice, checker, host):
    transcriber = Scripted(said("加微信" * 12), said("加微信", score=0.1), said("你好"))
    pcm = sound((1.024, True), (1.024, False), (1.024, True), (1.024, False), (1.024, True))

    detection = await detector(transcriber, voice, checker, host).detect(clip(pcm))

    assert detection.findings == ()
    assert detection.extras.transcript is not None
    assert detection.extras.transcript.text == "你好"
    assert detection.extras.n_dropped == 2


async def test_a_recogniser_without_times_places_its_words_somewhere_in_the_stretch(voice, checker, host):
    transcriber = Scripted(untimed("加微信", 0.0, 1.0))

    detection = await detector(transcriber, voice, checker, host).detect(clip(sound((1.024, False), (1.024, True)), start_s=50.0))

    assert detection.findings[0].heard is not None
    assert detection.findings[0].heard.start_s == pytest.approx(51.0, abs=0.05)
    assert detection.findings[0].heard.end_s == pytest.approx(52.0, abs=0.05)


async def test_the_text_engine_is_asked_about_speech(voice, host):
    asked: list[tuple[str, Scene]] = []

    def read(text: str, scene: Scene) -> Sequence[Finding]:
        asked.append((text, scene))
        return ()

    heard = TranscriptDetector(Scripted(said("你好")), voice, read, host=host, text_labels=frozenset())
    await heard.detect(clip(sound((1.024, True))))

    assert asked == [("你好", Scene.ASR)]


async def test_a_recogniser_that_is_down_is_told_and_not_taken_for_silence(voice, checker, host):
    with pytest.raises(NotReady, match="gone"):
        await detector(Scripted(NotReady("gone")), voice, checker, host).detect(clip(sound((1.024, True))))
