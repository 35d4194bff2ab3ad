"""The adapter against the real package, with a model written by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from inference.errors import ConfigError, Overloaded
from inference.host import Host
from inference.speech.sherpa import SherpaOptions, SherpaTranscriber, open_sherpa, transcript_of
from inference.speech.transcribe import TranscriptDetector
from inference.testing import ManualClock
from inference.text.check import TextChecker
from inference.verdicts import ModelRef
from tests.conftest import require
from tests.inference.samples_maker import clip
from tests.inference.speech.published import write_paraformer, write_sense_voice, write_transducer, write_whisper
from tests.inference.speech.tones import graph, sung, write_tones
from tests.inference.speech.voices import loud_voice


@pytest.fixture(scope="module")
def installed() -> None:
    require(importlib.util.find_spec("sherpa_onnx") is not None, "sherpa-onnx is not installed; pip install 'livewarden[sherpa]'")


@pytest.fixture(scope="module")
def tones(installed: None, tmp_path_factory: pytest.TempPathFactory, threads) -> SherpaTranscriber:
    return open_sherpa(write_tones(tmp_path_factory.mktemp("model") / "tones-2026-01-01"), SherpaOptions(), host=Host(threads))


async def test_a_model_folder_is_loaded_and_heard_with_times(tones: SherpaTranscriber):
    transcript = await tones.transcribe(sung(("加", 0.2), ("微", 0.4), ("信", 0.2), ("▁hi", 0.3)), deadline_s=None)

    assert transcript.text == "加微信hi"
    begins_s = [word.start_s for word in transcript.words]
    assert begins_s == pytest.approx([0.12, 0.44, 0.96, 1.28], abs=0.06)
    assert all(word.start_s < word.end_s <= 1.7 for word in transcript.words)
    assert str(tones.ref).startswith("tones-2026-01-01@")
    assert len(tones.ref.sha256) == 64


@pytest.mark.parametrize(
    ("write", "timed", "scored"),
    [
        (write_sense_voice, True, False),
        (write_paraformer, False, False),
        (write_transducer, True, True),
        (write_whisper, False, False),
    ],
)
async def test_the_other_kinds_are_loaded_and_heard_too(installed: None, tmp_path: Path, threads, write, timed: bool, scored: bool):
    transcriber = open_sherpa(write(tmp_path / "model"), SherpaOptions(language="zh"), host=Host(threads))

    transcript = await transcriber.transcribe(sung(("加", 0.3), ("微", 0.3), ("信", 0.3)), deadline_s=None)

    assert transcript.text == "加微信"
    assert (len(transcript.words) == 3) == timed
    assert (transcript.score is not None) == scored
    if timed:
        assert [word.start_s for word in transcript.words] == pytest.approx([0.12, 0.54, 0.96], abs=0.07)


async def test_very_short_pieces_end_nothing(tones: SherpaTranscriber):
    for n_pcm in (0, 1, 200):
        assert (await tones.transcribe(np.zeros(n_pcm, np.float32), deadline_s=None)).text == ""


async def test_spoken_words_come_out_as_findings_of_the_text_engine(tones: SherpaTranscriber, host: Host):
    pcm = np.concatenate([np.zeros(16_384, np.float32), sung(("加", 0.3), ("微", 0.3), ("信", 0.3), pause_s=0.06)])
    with loud_voice() as voice:
        detector = TranscriptDetector(tones, voice, TextChecker.load().findings, host=host, text_labels=frozenset({"ads.contact"}))
        detection = await detector.detect(clip(pcm, start_s=60.0))

    (finding,) = detection.findings
    assert (finding.label, finding.text, finding.detector) == ("ads.contact", "加微信", "asr")
    assert finding.heard is not None
    assert finding.heard.start_s == pytest.approx(61.1, abs=0.15)
    assert finding.model == tones.ref


class Recognizer:
    """Stands in for a loaded recogniser where only the queue is looked at."""

    def create_stream(self):
        return SimpleNamespace(
            accept_waveform=lambda *_: None,
            result=SimpleNamespace(text="好", tokens=["好"], timestamps=[0.0], durations=[], ys_log_probs=[]),
        )

    def decode_stream(self, stream) -> None:
        return None


async def test_more_than_may_wait_is_refused(threads):
    tiny = SherpaOptions(n_at_once=1, n_waiting=0)
    transcriber = SherpaTranscriber(Recognizer(), ModelRef("m", "1", "0" * 64), tiny, host=Host(threads, clock=ManualClock()))
    pcm = np.zeros(16_000, np.float32)

    async with transcriber._turns.turn():
        with pytest.raises(Overloaded, match="recogniser m: 0 wait"):
            await transcriber.transcribe(pcm, deadline_s=None)

    assert (await transcriber.transcribe(pcm, deadline_s=None)).text == "好"


def result(**changes: object) -> SimpleNamespace:
    told = {"text": "加微", "tokens": ["加", "微"], "timestamps": [0.2, 0.5], "durations": [], "ys_log_probs": []}
    return SimpleNamespace(**{**told, **changes})


def test_an_answer_with_durations_and_probabilities_uses_them():
    words = transcript_of(result(durations=[0.1, 0.2], ys_log_probs=[float(np.log(0.5)), 0.0]), 2.0).words

    assert [(word.start_s, pytest.approx(word.end_s), pytest.approx(word.score)) for word in words] == [
        (0.2, 0.3, 0.5),
        (0.5, 0.7, 1.0),
    ]


def test_a_token_ends_where_the_next_begins_or_soon():
    words = transcript_of(result(), 2.0).words

    assert [(word.start_s, word.end_s, word.score) for word in words] == [(0.2, 0.5, None), (0.5, 1.0, None)]


def test_an_answer_without_times_is_placed_in_the_whole_piece():
    (word,) = transcript_of(result(timestamps=[]), 2.0).words

    assert (word.text, word.start_s, word.end_s) == ("加微", 0.0, 2.0)


def test_a_model_that_would_end_the_process_is_refused_with_its_last_words(installed, tmp_path: Path, threads):
    folder = write_tones(tmp_path / "claims-to-be-sense-voice")
    (folder / "model.int8.onnx").write_bytes(graph({"model_type": "sense_voice_ctc"}))

    with pytest.raises(ConfigError, match=r"sherpa-onnx cannot run SenseVoice.*'vocab_size' does not exist in the metadata"):
        open_sherpa(folder, SherpaOptions(), host=Host(threads))


def test_without_the_package_the_message_says_what_to_install(tmp_path: Path, threads, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)

    with pytest.raises(ConfigError, match=r"pip install 'livewarden\[sherpa\]'"):
        open_sherpa(write_tones(tmp_path), SherpaOptions(), host=Host(threads))
