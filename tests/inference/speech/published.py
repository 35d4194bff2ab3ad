"""Recognisers of the other kinds that sherpa-onnx takes, as small as `tones.py`: SenseVoice, Paraformer, a transducer, Whisper.

SenseVoice and the transducer hear the tones of `tones.py`; Paraformer and Whisper, which have no steps, say 加微信 to everything.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import numpy as np

from tests.inference.speech.tones import N_BANDS, TOKENS, band_weights
from tests.onnx_maker import Node, Port, onnx_bytes

MARKS = ("<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>")
"""What SenseVoice answers before the words."""
STACKED = 7
"""Frames that the low-frame-rate models of FunASR take as one."""
_MOMENTS = {"neg_mean": ",".join(["0.0"] * N_BANDS * STACKED), "inv_stddev": ",".join(["1.0"] * N_BANDS * STACKED)}
_LANGUAGES = {
    "lang_auto": "0",
    "lang_zh": "3",
    "lang_en": "4",
    "lang_yue": "7",
    "lang_ja": "11",
    "lang_ko": "12",
    "lang_nospeech": "13",
}


def _whole(*values: int) -> np.ndarray:
    return np.asarray(values, np.int64)


def _tokens(folder: Path, tokens: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokens.txt").write_text("".join(f"{token} {index}\n" for index, token in enumerate(tokens)), encoding="utf-8")


def write_sense_voice(folder: Path) -> Path:
    """Four marks first, then the tones of the first of seven stacked frames; features are of 16-bit sound, so louder by 20.8."""
    tokens = (*TOKENS, *MARKS)
    n = len(tokens)
    head = np.zeros((1, 4, n), np.float32)
    head[0, np.arange(4), len(TOKENS) + np.arange(4)] = 50.0
    offset = np.asarray([22.0, -100.0, 0.0, 0.0, 0.0, 0.0, *[-100.0] * 4], np.float32)
    nodes = [
        Node("Slice", ["x", "zero", "bands", "axis"], ["first"]),
        Node("MatMul", ["first", "weights"], ["loud"]),
        Node("Add", ["loud", "offset"], ["words"]),
        Node("Concat", ["head", "words"], ["logits"], {"axis": 1}),
    ]
    weights = {"weights": band_weights(n), "offset": offset, "head": head}
    whole = {"zero": _whole(0), "bands": _whole(N_BANDS), "axis": _whole(2)}
    inputs = [
        Port("x", ["N", "T", N_BANDS * STACKED]),
        *(Port(name, ["N"], np.int32) for name in ("x_length", "language", "text_norm")),
    ]
    metadata = {
        "model_type": "sense_voice_ctc",
        "vocab_size": str(n),
        "lfr_window_size": str(STACKED),
        "lfr_window_shift": "6",
        "normalize_samples": "0",
        "with_itn": "14",
        "without_itn": "15",
        "version": "1",
        "comment": "made for tests",
        "model_author": "livewarden-tests",
        **_MOMENTS,
        **_LANGUAGES,
    }
    _tokens(folder, tokens)
    (folder / "model.onnx").write_bytes(onnx_bytes(nodes, inputs, [Port("logits", ["N", "U", n])], {**weights, **whole}, metadata))
    return folder


def write_paraformer(folder: Path) -> Path:
    """Three words and the end, whatever is heard; no times."""
    tokens = ("</s>", *TOKENS[1:])
    said = np.full((1, 4, len(tokens)), -9.0, np.float32)
    said[0, np.arange(4), [*(tokens.index(word) for word in "加微信"), 0]] = 5.0
    nodes = [
        Node("ReduceMean", ["speech"], ["mean"], {"axes": [1, 2], "keepdims": 1}),
        Node("Mul", ["mean", "nothing"], ["silent"]),
        Node("Add", ["said", "silent"], ["logits"]),
        Node("Mul", ["speech_lengths", "none"], ["zeros"]),
        Node("Add", ["zeros", "four"], ["token_num"]),
    ]
    weights = {"said": said, "nothing": np.zeros((), np.float32), "none": np.zeros(1, np.int32), "four": np.full(1, 4, np.int32)}
    inputs = [Port("speech", ["N", "T", N_BANDS * STACKED]), Port("speech_lengths", ["N"], np.int32)]
    outputs = [Port("logits", ["N", "L", len(tokens)]), Port("token_num", ["N"], np.int32)]
    metadata = {
        "model_type": "paraformer",
        "vocab_size": str(len(tokens)),
        "lfr_window_size": "7",
        "lfr_window_shift": "6",
        **_MOMENTS,
    }
    _tokens(folder, tokens)
    (folder / "model.int8.onnx").write_bytes(onnx_bytes(nodes, inputs, outputs, weights, metadata))
    return folder


def write_transducer(folder: Path) -> Path:
    """The encoder hears tones, the decoder remembers the last word, the joiner does not say it again."""
    n = len(TOKENS)
    encoder = [
        Node("Slice", ["x", "zero", "all", "axis", "step"], ["fourth"]),
        Node("MatMul", ["fourth", "weights"], ["loud"]),
        Node("Add", ["loud", "offset"], ["encoder_out"]),
        Node("Add", ["x_lens", "three"], ["padded"]),
        Node("Div", ["padded", "four"], ["encoder_out_lens"]),
    ]
    weights = {"weights": band_weights(n), "offset": np.asarray([2.0, -100.0, 0.0, 0.0, 0.0, 0.0], np.float32)}
    whole = {
        "zero": _whole(0),
        "all": _whole(1 << 40),
        "axis": _whole(1),
        "step": _whole(4),
        "three": np.asarray(3),
        "four": np.asarray(4),
    }
    again = -30.0 * np.eye(n, dtype=np.float32)
    again[0, 0] = 0.0
    decoder = [
        Node("Slice", ["y", "axis", "two", "axis"], ["last"]),
        Node("Gather", ["again", "last"], ["rows"]),
        Node("Squeeze", ["rows", "axis"], ["decoder_out"]),
    ]
    _tokens(folder, TOKENS)
    (folder / "encoder-epoch-9-avg-1.onnx").write_bytes(
        onnx_bytes(
            encoder,
            [Port("x", ["N", "T", N_BANDS]), Port("x_lens", ["N"], np.int64)],
            [Port("encoder_out", ["N", "U", n]), Port("encoder_out_lens", ["N"], np.int64)],
            {**weights, **whole},
            {"model_type": "zipformer2", "version": "1", "comment": "non-streaming zipformer2"},
        )
    )
    (folder / "decoder-epoch-9-avg-1.onnx").write_bytes(
        onnx_bytes(
            decoder,
            [Port("y", ["N", 2], np.int64)],
            [Port("decoder_out", ["N", n])],
            {"again": again, "axis": _whole(1), "two": _whole(2)},
            {"context_size": "2", "vocab_size": str(n)},
        )
    )
    (folder / "joiner-epoch-9-avg-1.onnx").write_bytes(
        onnx_bytes(
            [Node("Add", ["encoder_out", "decoder_out"], ["logit"])],
            [Port("encoder_out", ["N", n]), Port("decoder_out", ["N", n])],
            [Port("logit", ["N", n])],
            metadata={"joiner_dim": str(n)},
        )
    )
    return folder


def write_whisper(folder: Path) -> Path:
    """Each token is followed by the next of 加微信, whatever is heard; no times. The state goes in and out unchanged."""
    words = ("加", "微", "信", "hi", " ", "-")
    n, eot, sot, zh, en, translate, transcribe, no_speech, no_times = 16, 6, 7, 8, 9, 10, 11, 12, 13
    metadata = {
        **{"model_type": "whisper-tiny", "version": "1", "maintainer": "livewarden-tests", "is_multilingual": 1},
        **{"n_mels": N_BANDS, "n_audio_ctx": 2, "n_audio_state": 1, "n_audio_head": 1, "n_audio_layer": 1},
        **{"n_vocab": n, "n_text_ctx": 8, "n_text_state": 1, "n_text_head": 1, "n_text_layer": 1},
        **{"sot_sequence": f"{sot},{zh},{transcribe}", "all_language_tokens": f"{zh},{en}", "all_language_codes": "zh,en"},
        **{"sot": sot, "sot_index": 0, "eot": eot, "blank_id": 4, "no_speech": no_speech, "non_speech_tokens": 5},
        **{"transcribe": transcribe, "translate": translate, "sot_prev": 14, "sot_lm": 15, "no_timestamps": no_times},
    }
    encoder = [
        Node("ReduceMean", ["mel"], ["mean"], {"axes": [1, 2], "keepdims": 1}),
        Node("Mul", ["mean", "nothing"], ["silent"]),
        Node("Add", ["empty", "silent"], ["n_layer_cross_k"]),
        Node("Identity", ["n_layer_cross_k"], ["n_layer_cross_v"]),
    ]
    cross = [Port(f"n_layer_cross_{part}", [1, "N", 2, 1]) for part in "kv"]
    follows = np.full((n, n), -9.0, np.float32)
    for token, after in {sot: zh, transcribe: 0, no_times: 0, 0: 1, 1: 2, 2: eot}.items():
        follows[token, after] = 5.0
    decoder = [Node("Gather", ["follows", "tokens"], ["logits"])]
    decoder += [Node("Identity", [f"in_n_layer_self_{part}_cache"], [f"out_n_layer_self_{part}_cache"]) for part in "kv"]
    state_in, state_out = ([Port(f"{way}_n_layer_self_{part}_cache", [1, "N", 8, 1]) for part in "kv"] for way in ("in", "out"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny-tokens.txt").write_text(
        "".join(f"{b64encode(word.encode()).decode()} {index}\n" for index, word in enumerate(words)), encoding="utf-8"
    )
    weights = {"nothing": np.zeros((), np.float32), "empty": np.zeros((1, 1, 2, 1), np.float32)}
    told = {name: str(value) for name, value in metadata.items()}
    (folder / "tiny-encoder.int8.onnx").write_bytes(onnx_bytes(encoder, [Port("mel", ["N", N_BANDS, "T"])], cross, weights, told))
    inputs = [Port("tokens", ["N", "t"], np.int64), *state_in, *cross, Port("offset", [1], np.int64)]
    outputs = [Port("logits", ["N", "t", n]), *state_out]
    (folder / "tiny-decoder.int8.onnx").write_bytes(onnx_bytes(decoder, inputs, outputs, {"follows": follows}))
    return folder
