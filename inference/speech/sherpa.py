"""Recognisers through sherpa-onnx, an optional package with an ONNX Runtime of its own. The only importer of sherpa_onnx.

It recognises one piece at a time on the calling thread, so it runs on the detectors' threads, so many at once as `Turns` lets in.
It ends the whole process where a model is not what it expects: a child process loads every model first, and tells why it died.
"""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.errors import ConfigError
from inference.host import Host
from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.speech.sherpa_layout import Kind, Layout, recognise
from inference.speech.transcript import Token, Transcript, spelt, untimed
from inference.speech.turns import Turns
from inference.verdicts import ModelRef
from models.digests import sha256_of

MAX_S = 28.0
"""Longest piece, seconds: Whisper looks at 30."""
MIN_N_PCM = SAMPLE_RATE_HZ // 2
"""Shorter pieces are filled up with silence: some graphs fail on less than a few frames."""
MAX_TOKEN_S = 0.5
"""How long a token lasts at most where the recogniser tells only its beginning."""
TRIAL_S = 180.0
"""How long the child process may take to load a model and recognise a second of sound."""


@dataclass(frozen=True, slots=True)
class SherpaOptions:
    """How sherpa-onnx recognises."""

    language: str = ""
    """For SenseVoice and Whisper: `zh`, `en`, ...; empty lets the recogniser tell."""
    n_at_once: int = 1
    """Pieces recognised at the same time, each on one thread."""
    n_waiting: int = 32
    """Pieces that may wait; one more is refused."""


class SherpaTranscriber:
    """A recogniser of sherpa-onnx on the detectors' threads."""

    def __init__(self, recognizer: Any, ref: ModelRef, options: SherpaOptions, *, host: Host) -> None:
        """Take a loaded recogniser.

        Args:
            recognizer: a `sherpa_onnx.OfflineRecognizer`.
            ref: what findings call it.
            options: how many at once.
            host: whose threads run it.
        """
        self._recognizer = recognizer
        self._ref = ref
        self._host = host
        self._turns = Turns(f"recogniser {ref.name}", n_at_once=options.n_at_once, n_waiting=options.n_waiting)

    @property
    def ref(self) -> ModelRef:
        """The model, by the name of its folder."""
        return self._ref

    @property
    def max_s(self) -> float:
        """Longest piece, seconds."""
        return MAX_S

    async def transcribe(self, pcm: Pcm, *, deadline_s: float | None) -> Transcript:
        """Recognise one piece; see `Transcriber.transcribe`."""
        async with self._turns.turn():
            return await self._host.run("asr", lambda: heard_by(self._recognizer, pcm), deadline_s=deadline_s)


def open_sherpa(folder: Path, options: SherpaOptions, *, host: Host) -> SherpaTranscriber:
    """Load a recogniser, after a child process has.

    Raises:
        ConfigError: the package is missing, the folder holds no recogniser that is taken, or it cannot be loaded.
    """
    layout = recognise(folder)
    _library()
    _try_in_child(folder, layout, options)
    ref = ModelRef(folder.resolve().name, sha256_of(layout.main)[:12], sha256_of(layout.main))
    return SherpaTranscriber(load(layout, options), ref, options, host=host)


def load(layout: Layout, options: SherpaOptions) -> Any:
    """Load a recogniser; ends the process where its graphs are not what sherpa-onnx expects of their kind.

    Raises:
        ConfigError: the package is missing, or it refuses the model.
    """
    recognizer = _library().OfflineRecognizer
    files = {role: str(path) for role, path in layout.files.items()}
    model, tokens = files.get("model", ""), files["tokens"]
    try:
        match layout.kind:
            case Kind.SENSE_VOICE:
                return recognizer.from_sense_voice(model=model, tokens=tokens, language=options.language)
            case Kind.PARAFORMER:
                return recognizer.from_paraformer(paraformer=model, tokens=tokens)
            case Kind.ZIPFORMER_CTC:
                return recognizer.from_zipformer_ctc(model=model, tokens=tokens)
            case Kind.TRANSDUCER:
                nemo = layout.metadata.get("model_type", "").startswith("EncDec")
                return recognizer.from_transducer(**files, model_type="nemo_transducer" if nemo else "transducer")
            case Kind.WHISPER:
                timed = layout.metadata.get("version") == "2"  # exported with the attention that times are read from
                return recognizer.from_whisper(**files, language=options.language, enable_token_timestamps=timed)
    except (RuntimeError, ValueError) as exc:
        raise ConfigError(f"{layout.main.parent}: sherpa-onnx cannot load it as {layout}: {exc}") from exc


def heard_by(recognizer: Any, pcm: Pcm) -> Transcript:
    """Recognise one piece on the calling thread. Times are from the piece's beginning."""
    duration_s = len(pcm) / SAMPLE_RATE_HZ
    filled = pcm if len(pcm) >= MIN_N_PCM else np.concatenate([pcm, np.zeros(MIN_N_PCM - len(pcm), np.float32)])
    stream = recognizer.create_stream()
    stream.accept_waveform(SAMPLE_RATE_HZ, filled)
    recognizer.decode_stream(stream)
    return transcript_of(stream.result, duration_s)


def transcript_of(result: Any, duration_s: float) -> Transcript:
    """Read an answer of sherpa-onnx.

    Args:
        result: with `text`, `tokens`, `timestamps` (beginnings, seconds), and where the model tells them `durations` and
            `ys_log_probs`, all as long as the tokens or empty.
        duration_s: length of the piece, seconds.
    """
    tokens, begins_s = list(result.tokens), list(result.timestamps)
    if not tokens or len(begins_s) != len(tokens):
        return untimed(str(result.text), 0.0, duration_s)
    lasts_s = list(result.durations)
    chances = list(result.ys_log_probs)
    found = []
    for index, token in enumerate(tokens):
        begin_s = min(float(begins_s[index]), duration_s)
        next_s = float(begins_s[index + 1]) if index + 1 < len(tokens) else duration_s
        last_s = float(lasts_s[index]) if len(lasts_s) == len(tokens) else MAX_TOKEN_S
        score = min(1.0, math.exp(float(chances[index]))) if len(chances) == len(tokens) else None
        found.append(Token(token, begin_s, max(begin_s, min(begin_s + last_s, next_s, duration_s)), score))
    return spelt(found)


def _library() -> Any:
    try:
        import sherpa_onnx
    except ImportError as exc:
        raise ConfigError(
            f"speech.transcriber names a recogniser of sherpa-onnx, and the package does not load ({exc}); "
            "install it with pip install 'livewarden[sherpa]'"
        ) from exc
    return sherpa_onnx


def _try_in_child(folder: Path, layout: Layout, options: SherpaOptions) -> None:
    """Load the model in a process that may die of it.

    Raises:
        ConfigError: it died, with its last words.
    """
    command = [sys.executable, "-m", "inference.speech.sherpa", str(folder), options.language]
    try:
        trial = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{folder}: sherpa-onnx did not load {layout} within {TRIAL_S:.0f} s") from None
    if trial.returncode:
        words = [line for line in trial.stderr.splitlines() if line.strip()] or [f"exit code {trial.returncode}"]
        raise ConfigError(f"{folder}: sherpa-onnx cannot run {layout}: {words[-1].strip()[-300:]}")


def main(arguments: list[str]) -> None:
    """Load the model of a folder and recognise a second of noise; for `_try_in_child`."""
    noise = np.random.default_rng(0).normal(0.0, 0.05, SAMPLE_RATE_HZ).astype(np.float32)
    heard_by(load(recognise(Path(arguments[0])), SherpaOptions(language=arguments[1])), noise)


if __name__ == "__main__":
    main(sys.argv[1:])
