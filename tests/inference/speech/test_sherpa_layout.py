from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import ConfigError
from inference.speech.graph_metadata import graph_metadata
from inference.speech.sherpa_layout import Kind, recognise
from tests.inference.speech.tones import METADATA, graph
from tests.onnx_maker import scale_graph


def folder_with(folder: Path, **metadata: str) -> Path:
    """A folder with these graphs, by stem (`_` is `-`), each of a model type, and tokens."""
    for name, told in metadata.items():
        notes = dict(pair.split("=") for pair in told.split(";") if pair)
        (folder / f"{name.replace('_', '-').replace('-int8', '.int8')}.onnx").write_bytes(graph(notes))
    (folder / "tokens.txt").write_text("<blk> 0\n")
    return folder


@pytest.mark.parametrize(
    ("graphs", "kind", "main"),
    [
        ({"model": "model_type=sense_voice_ctc"}, Kind.SENSE_VOICE, "model.onnx"),
        ({"model_int8": "model_type=paraformer"}, Kind.PARAFORMER, "model.int8.onnx"),
        ({"ctc_epoch_20": "model_type=zipformer2_ctc"}, Kind.ZIPFORMER_CTC, "ctc-epoch-20.onnx"),
        ({"encoder_epoch_9": "", "decoder_epoch_9": "", "joiner_epoch_9": ""}, Kind.TRANSDUCER, "encoder-epoch-9.onnx"),
        ({"tiny_encoder": "model_type=whisper-tiny", "tiny_decoder": ""}, Kind.WHISPER, "tiny-encoder.onnx"),
        (
            {"model": "model_type=sense_voice_ctc", "model_int8": "model_type=sense_voice_ctc"},
            Kind.SENSE_VOICE,
            "model.int8.onnx",
        ),
    ],
)
def test_published_folders_are_told_apart(tmp_path: Path, graphs, kind, main):
    layout = recognise(folder_with(tmp_path, **graphs))

    assert (layout.kind, layout.main.name, layout.files["tokens"].name) == (kind, main, "tokens.txt")
    assert str(layout).startswith(f"{kind} (")


def test_the_tokens_of_whisper_carry_its_name(tmp_path: Path):
    folder = folder_with(tmp_path, tiny_encoder="model_type=whisper-tiny", tiny_decoder="")
    (folder / "tokens.txt").rename(folder / "tiny-tokens.txt")

    assert recognise(folder).files["tokens"].name == "tiny-tokens.txt"


@pytest.mark.parametrize(
    ("graphs", "complaint"),
    [
        ({}, "holds no .onnx file; unpack a SenseVoice"),
        ({"model": ""}, "says model_type 'none'; taken are sense_voice_ctc, paraformer, zipformer2_ctc .*ctc:NAME"),
        ({"model": "model_type=telespeech_ctc"}, "says model_type 'telespeech_ctc'"),
        ({"encoder": ""}, "holds encoder.onnx and no decoder"),
        ({"encoder": "model_type=paraformer", "decoder": ""}, "of the type 'paraformer': no Whisper"),
        ({"encoder": "decode_chunk_len=32", "decoder": "", "joiner": ""}, "is a streaming transducer; clips need the one without"),
        ({"model": "model_type=zipformer2_ctc;decode_chunk_len=32"}, "is a streaming Zipformer CTC"),
    ],
)
def test_what_is_missing_or_of_no_use_is_said(tmp_path: Path, graphs, complaint):
    with pytest.raises(ConfigError, match=complaint):
        recognise(folder_with(tmp_path, **graphs))


def test_a_folder_that_is_not_there_and_one_without_tokens_are_said(tmp_path: Path):
    with pytest.raises(ConfigError, match="nowhere is no folder; unpack"):
        recognise(tmp_path / "nowhere")
    folder_with(tmp_path, model="model_type=paraformer")
    (tmp_path / "tokens.txt").unlink()
    with pytest.raises(ConfigError, match=r"holds model.onnx and no tokens.txt"):
        recognise(tmp_path)


def test_metadata_is_read_without_the_graph_and_a_graph_without_has_none(tmp_path: Path):
    (tmp_path / "a.onnx").write_bytes(graph())
    (tmp_path / "b.onnx").write_bytes(scale_graph())

    assert graph_metadata(tmp_path / "a.onnx") == METADATA
    assert graph_metadata(tmp_path / "b.onnx") == {}


@pytest.mark.parametrize("content", [b"\xff" * 40, b"\x3a\xff\xff\xff\x7f", b"\x0b\x0b", graph()[:200], b"\x08"])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content):
    (tmp_path / "a.onnx").write_bytes(content)

    with pytest.raises(ConfigError, match=r"a\.onnx is no ONNX file: "):
        graph_metadata(tmp_path / "a.onnx")
