"""A recogniser of one's own: any ONNX network with a CTC output and a manifest of task `speech.ctc`, in batches through a lane.

    postprocess:                 # of the manifest; times and sizes in PCM values at 16 kHz
      step_n_pcm: 640            # one step of the output: 40 ms
      mel_bands: 80              # with it log-mels as `models/log_mels.py` reads them; without it the network takes PCM
      bands_first: 0             # 1: features are (n, bands, frames), else (n, frames, bands)
      output_probabilities: 0    # 1: the output is probabilities already; else logits or their logarithms
      blank_index: 0             # where the list of tokens names no <blk>
      max_s: 16                  # longest piece it is given, seconds

Inputs are the sound and, where there is a second one, its true length (frames, or PCM values), int64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import ConfigError
from inference.host import Host
from inference.lanes import Lane
from inference.samples import SAMPLE_RATE_HZ, Pcm
from inference.sessions import Rows, Session
from inference.speech.token_list import TokenList
from inference.speech.transcript import Token, Transcript, spelt
from inference.verdicts import ModelRef
from inference.vision.ctc import PROBABILITIES, SYMBOLS, GreedySession
from models.log_mels import MelSpec, log_mels
from models.manifest import Manifest

TASK = "speech.ctc"
BUCKETS_S = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Lengths that sound is padded to, so that pieces of nearly one length share a batch."""


@dataclass(frozen=True, slots=True)
class CtcSpec:
    """What a manifest says of a CTC network, ready for use."""

    sound: str
    """Name of the input that takes the sound."""
    length: str | None
    """Name of the input that takes its length; None where there is none."""
    output: str
    mels: MelSpec | None
    """None for a network that takes PCM."""
    bands_first: bool
    probabilities: bool
    """Whether the output is probabilities already."""
    step_n_pcm: int
    sizes: tuple[int, ...]
    """Lengths that sound is padded to, in what the input counts: frames, or PCM values; rising."""
    pad_value: float

    @classmethod
    def of(cls, manifest: Manifest) -> CtcSpec:
        """Read it.

        Raises:
            ConfigError: the manifest is of another task, or its tensors are not those of a CTC network.
            ManifestError: a number is missing or out of range.
        """
        if manifest.task != TASK:
            raise ConfigError(f"{manifest.ref} has the task {manifest.task!r}; a recogniser needs {TASK!r}")
        numbers = manifest.postprocess
        mels = MelSpec.of(numbers)
        sound = manifest.inputs[0]
        n_axes = 2 if mels is None else 3
        if len(sound.shape) != n_axes or len(manifest.inputs) > 2:
            wanted = "(n, values)" if mels is None else "(n, frames, bands)"
            raise ConfigError(f"{manifest.ref}: inputs must be sound {wanted} and at most its length, got {_shapes(manifest)}")
        bands_first = bool(numbers.get("bands_first", 0))
        return cls(
            sound=sound.name,
            length=manifest.inputs[1].name if len(manifest.inputs) == 2 else None,
            output=manifest.outputs[0].name,
            mels=mels,
            bands_first=bands_first,
            probabilities=bool(numbers.get("output_probabilities", 0)),
            step_n_pcm=int(manifest.number("step_n_pcm")),
            sizes=_sizes(sound.shape[2 if bands_first else 1], mels, numbers.get("max_s", 16.0)),
            pad_value=manifest.preprocess.pad_value,
        )

    @property
    def max_s(self) -> float:
        """Longest piece, seconds."""
        if self.mels is None:
            return self.sizes[-1] / SAMPLE_RATE_HZ
        return ((self.sizes[-1] - 1) * self.mels.hop_n_pcm + self.mels.frame_n_pcm) / SAMPLE_RATE_HZ

    def rows(self, pcm: Pcm) -> dict[str, NDArray[np.generic]]:
        """Make the network's input of one piece of sound, without the batch axis. CPU work."""
        values = pcm[:, None] if self.mels is None else log_mels(pcm, self.mels)
        values = values[: self.sizes[-1]]
        size = next(size for size in self.sizes if size >= len(values))
        padded = np.full((size, values.shape[1]), self.pad_value, np.float32)
        padded[: len(values)] = values
        ready = padded[:, 0] if self.mels is None else padded.T if self.bands_first else padded
        rows: dict[str, NDArray[np.generic]] = {self.sound: np.ascontiguousarray(ready)}
        if self.length is not None:
            rows[self.length] = np.asarray(len(values), np.int64)
        return rows

    def warm_shapes(self) -> tuple[Mapping[str, tuple[int, ...]], ...]:
        """Shapes of every piece that will come, without the batch axis."""
        lengths = {} if self.length is None else {self.length: ()}
        return tuple({self.sound: self._shape(size), **lengths} for size in self.sizes)

    def _shape(self, size: int) -> tuple[int, ...]:
        if self.mels is None:
            return (size,)
        return (self.mels.n_bands, size) if self.bands_first else (size, self.mels.n_bands)


class SoftmaxSession:
    """A session whose one output becomes probabilities over its last axis."""

    def __init__(self, session: Session, output: str) -> None:
        self._session = session
        self._output = output
        self.name = session.name
        self.provider = session.provider
        self.ref = session.ref
        self.input_names = session.input_names

    def run(self, batch: Rows) -> Rows:
        """Run it, and turn logits or log-probabilities into probabilities."""
        logits = self._session.run(batch)[self._output]
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return {self._output: powers / powers.sum(axis=-1, keepdims=True)}

    def warm(self, n_rows: int) -> None:
        """Warm the network."""
        self._session.warm(n_rows)


def greedy_session(session: Session, spec: CtcSpec) -> Session:
    """Wrap a CTC network so that it answers with the best symbol of each step and its probability."""
    return GreedySession(session if spec.probabilities else SoftmaxSession(session, spec.output), spec.output)


class CtcTranscriber:
    """Recognises through a lane over a `greedy_session`; the lane's queue is the bound."""

    def __init__(self, lane: Lane, spec: CtcSpec, tokens: TokenList, *, host: Host) -> None:
        self._lane = lane
        self._spec = spec
        self._tokens = tokens
        self._host = host

    @property
    def ref(self) -> ModelRef:
        """The network."""
        return self._lane.session.ref

    @property
    def max_s(self) -> float:
        """Longest piece, seconds."""
        return self._spec.max_s

    async def transcribe(self, pcm: Pcm, *, deadline_s: float | None) -> Transcript:
        """Recognise one piece; see `Transcriber.transcribe`."""
        rows = await self._host.run("asr", lambda: self._spec.rows(pcm), deadline_s=deadline_s)
        row = await self._lane.submit(rows, deadline_s=deadline_s)
        n_steps = math.ceil(len(pcm) / self._spec.step_n_pcm)
        tokens = read_steps(
            row[SYMBOLS][:n_steps], row[PROBABILITIES][:n_steps], self._tokens, step_s=self._spec.step_n_pcm / SAMPLE_RATE_HZ
        )
        return spelt(tokens)


def read_steps(symbols: NDArray[np.int32], probabilities: NDArray[np.float32], tokens: TokenList, *, step_s: float) -> list[Token]:
    """Read the best path: repeats are one token that lasts as long as they do, blanks are none.

    Args:
        symbols: best symbol of each step, shape (steps,).
        probabilities: of that symbol, 0..1, shape (steps,).
        tokens: names of the symbols; a symbol beyond them is left out.
        step_s: length of a step, seconds.
    """
    if not len(symbols):
        return []
    firsts = np.flatnonzero(np.concatenate([[True], symbols[1:] != symbols[:-1]]))
    ends = np.append(firsts[1:], len(symbols))
    found = []
    for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
        symbol = int(symbols[first])
        if symbol != tokens.blank and symbol < len(tokens.tokens):
            score = min(1.0, float(probabilities[first:end].max()))
            found.append(Token(tokens.tokens[symbol], first * step_s, end * step_s, score))
    return found


def _sizes(fixed: int | None, mels: MelSpec | None, max_s: float) -> tuple[int, ...]:
    """Lengths to pad to: the graph's own where it is fixed, else buckets up to the longest piece."""
    if fixed is not None:
        return (fixed,)
    seconds = [bucket for bucket in BUCKETS_S if bucket < max_s] + [max_s]
    counts = [round(bucket * SAMPLE_RATE_HZ) for bucket in seconds]
    return tuple(counts if mels is None else [mels.n_frames(count) for count in counts])


def _shapes(manifest: Manifest) -> str:
    return ", ".join(f"{spec.name} {['?' if size is None else size for size in spec.shape]}" for spec in manifest.inputs)
