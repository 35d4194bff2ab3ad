"""What kind of recogniser lies in a folder, as sherpa-onnx's models are published: told by file names and what the graphs say.

tokens.txt  model.int8.onnx                             SenseVoice, Paraformer, Zipformer CTC: by the metadata `model_type`
tokens.txt  encoder-*.onnx  decoder-*.onnx  joiner-*.onnx   transducer
*-tokens.txt  *-encoder.onnx  *-decoder.onnx            Whisper
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inference.errors import ConfigError
from inference.speech.graph_metadata import graph_metadata


class Kind(StrEnum):
    """Kinds of recognisers that are taken."""

    SENSE_VOICE = "SenseVoice"
    PARAFORMER = "Paraformer"
    ZIPFORMER_CTC = "Zipformer CTC"
    TRANSDUCER = "transducer"
    WHISPER = "Whisper"


_BY_TYPE: Mapping[str, Kind] = {
    "sense_voice_ctc": Kind.SENSE_VOICE,
    "paraformer": Kind.PARAFORMER,
    "zipformer2_ctc": Kind.ZIPFORMER_CTC,
}
"""Kinds of one graph, by its metadata `model_type`."""

_ROLES = ("encoder", "decoder", "joiner")
_STREAMING = "decode_chunk_len"
"""Metadata that only streaming graphs have."""
_WANTED = "unpack a SenseVoice, Paraformer, Zipformer or Whisper model there, as sherpa-onnx publishes them"


@dataclass(frozen=True, slots=True)
class Layout:
    """A recogniser's kind and files."""

    kind: Kind
    files: Mapping[str, Path]
    """By role: `model`, or `encoder`, `decoder` and `joiner`; always `tokens`."""
    metadata: Mapping[str, str]
    """Of the first graph."""

    @property
    def main(self) -> Path:
        """The graph that tells one version from another."""
        return self.files.get("model") or self.files["encoder"]

    def __str__(self) -> str:
        return f"{self.kind} ({', '.join(path.name for path in self.files.values())})"


def recognise(folder: Path) -> Layout:
    """Tell what lies in a folder.

    Raises:
        ConfigError: it is no folder, a file is missing, or it is of a kind that is not taken; says which.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; {_WANTED}")
    graphs = _graphs(folder)
    tokens = sorted(folder.glob("*tokens.txt"), key=lambda path: len(path.name))
    if not graphs:
        raise ConfigError(f"{folder} holds no .onnx file; {_WANTED}")
    if not tokens:
        raise ConfigError(f"{folder} holds {_names(graphs)} and no tokens.txt; it is published beside the graphs")
    layout = _pieces(folder, graphs) if "encoder" in graphs or "decoder" in graphs else _single(folder, graphs)
    if layout.metadata.get(_STREAMING):
        raise ConfigError(f"{layout.main} is a streaming {layout.kind}; clips need the one without streaming")
    return Layout(layout.kind, {**layout.files, "tokens": tokens[0]}, layout.metadata)


def _graphs(folder: Path) -> dict[str, Path]:
    """Pick one graph for each role; of several the one in 8 bits, which a CPU runs faster, then the shortest name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.onnx")):
        role = next((role for role in _ROLES if role in path.name.lower()), "model")
        found.setdefault(role, []).append(path)
    return {
        role: min(found[role], key=lambda path: ("int8" not in path.name, len(path.name)))
        for role in (*_ROLES, "model")
        if role in found
    }


def _pieces(folder: Path, graphs: Mapping[str, Path]) -> Layout:
    """Recognise a model of several graphs."""
    missing = [role for role in ("encoder", "decoder") if role not in graphs]
    if missing:
        raise ConfigError(f"{folder} holds {_names(graphs)} and no {missing[0]}; a transducer or Whisper model needs both")
    metadata = graph_metadata(graphs["encoder"])
    files = {role: graphs[role] for role in _ROLES if role in graphs}
    if "joiner" in graphs:
        return Layout(Kind.TRANSDUCER, files, metadata)
    told = metadata.get("model_type", "")
    if told.startswith("whisper"):
        return Layout(Kind.WHISPER, files, metadata)
    raise ConfigError(
        f"{folder} holds an encoder and a decoder of the type {told or 'none'!r}: no Whisper, and without a joiner no transducer; "
        f"{_WANTED}"
    )


def _single(folder: Path, graphs: Mapping[str, Path]) -> Layout:
    """Recognise a model of one graph by what it says of itself."""
    metadata = graph_metadata(graphs["model"])
    told = metadata.get("model_type", "")
    if told not in _BY_TYPE:
        raise ConfigError(
            f"{graphs['model']} says model_type {told or 'none'!r}; taken are {', '.join(_BY_TYPE)} "
            "(for any other CTC network write a manifest and name it as ctc:NAME)"
        )
    return Layout(_BY_TYPE[told], {"model": graphs["model"]}, metadata)


def _names(graphs: Mapping[str, Path]) -> str:
    return ", ".join(path.name for path in graphs.values())
