from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.errors import ConfigError
from inference.host import Host
from inference.lanes import Device, Lane
from inference.sessions import GraphLayout, OnnxSession
from inference.speech.ctc_transcriber import CtcSpec, CtcTranscriber, greedy_session, read_steps
from inference.speech.token_list import TokenList, read_tokens
from inference.testing import FakeSession, fake_device, fake_share
from inference.verdicts import ModelRef
from models.errors import ManifestError
from models.log_mels import MelSpec, log_mels
from models.manifest import TensorSpec
from tests.inference.speech.levels import TOKENS, graph, manifest, spoken

PLAIN = manifest("0" * 64)
LIST = TokenList.of(TOKENS, blank_index=None, where="test")


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    with fake_device() as device:
        yield device


@pytest.fixture(scope="module")
def transcriber(device: Device, threads: ThreadPoolExecutor) -> CtcTranscriber:
    spec = CtcSpec.of(PLAIN)
    layout = GraphLayout(warm_shapes=spec.warm_shapes())
    session = OnnxSession(graph(), ref=ModelRef("levels", "1", "0" * 64), share=fake_share(), layout=layout)
    lane = Lane("levels", greedy_session(session, spec), device, max_queue=8, ladder=(1, 2))
    lane.warm()
    return CtcTranscriber(lane, spec, LIST, host=Host(threads))


async def test_a_real_graph_is_heard_word_by_word_with_times(transcriber):
    transcript = await transcriber.transcribe(spoken(("加", 0.2), ("微", 0.4), ("信", 0.2), ("▁hi", 0.32)), deadline_s=None)

    assert transcript.text == "加微信hi"
    assert [(word.text, round(word.start_s, 2), round(word.end_s, 2)) for word in transcript.words] == [
        ("加", 0.0, 0.2),
        ("微", 0.28, 0.68),
        ("信", 0.76, 0.96),
        ("hi", 1.04, 1.36),
    ]
    assert all(word.score is not None and word.score > 0.99 for word in transcript.words)
    assert str(transcriber.ref) == "levels@1"


async def test_the_padding_behind_a_piece_says_nothing_and_an_empty_piece_is_empty(transcriber):
    assert (await transcriber.transcribe(spoken(("加", 1.0)), deadline_s=None)).text == "加"
    assert (await transcriber.transcribe(np.zeros(0, np.float32), deadline_s=None)).text == ""
    assert (await transcriber.transcribe(np.zeros(1, np.float32), deadline_s=None)).text == ""


async def test_one_word_twice_needs_a_pause_between(transcriber):
    twice = await transcriber.transcribe(spoken(("加", 0.2), ("加", 0.2)), deadline_s=None)
    once = await transcriber.transcribe(spoken(("加", 0.2), ("加", 0.2), pause_s=0.0), deadline_s=None)

    assert (twice.text, once.text) == ("加加", "加")


async def test_the_longest_piece_goes_through_whole(transcriber):
    pcm = spoken(*[("加", 0.4)] * 16, ("微", 0.24))[: int(transcriber.max_s * 16_000)]

    transcript = await transcriber.transcribe(pcm, deadline_s=None)

    assert transcriber.max_s == 8.0
    assert transcript.text == "加" * 16 + "微"


def test_probabilities_are_taken_as_they_are_and_logits_are_turned_into_them():
    logits = np.log(np.asarray([[[0.1, 0.7, 0.2]]], np.float32)) + 3
    for spec, output, sure in (
        (CtcSpec.of(PLAIN), logits, 0.7),
        (CtcSpec.of(replace(PLAIN, postprocess={"step_n_pcm": 640, "output_probabilities": 1})), np.exp(logits - 3), 0.7),
    ):
        session = greedy_session(FakeSession(compute=lambda _, rows=output: {"logits": rows}), spec)
        answer = session.run({"x": np.zeros((1, 4), np.float32)})
        assert answer["symbols"].tolist() == [[1]]
        assert answer["probabilities"][0, 0] == pytest.approx(sure, abs=1e-4)


def with_mels(shape: tuple[int | None, ...], **numbers: float) -> CtcSpec:
    inputs = (TensorSpec("x", "float32", shape), TensorSpec("x_lens", "int64", (None,)))
    return CtcSpec.of(replace(PLAIN, inputs=inputs, postprocess={"step_n_pcm": 640, "mel_bands": 40, "max_s": 4, **numbers}))


def test_a_network_of_features_gets_them_with_their_true_length():
    pcm = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)

    rows = with_mels((None, None, 40)).rows(pcm)

    mels = log_mels(pcm, MelSpec(n_bands=40))
    assert rows["x_lens"].tolist() == len(mels) == 98
    assert rows["x"].shape == (198, 40)  # padded to two seconds
    assert np.array_equal(rows["x"][:98], mels)
    assert not rows["x"][98:].any()


def test_features_may_lie_the_other_way_round_and_a_fixed_length_is_kept():
    pcm = np.full(16_000, 0.1, np.float32)

    turned, fixed = with_mels((None, 40, None), bands_first=1), with_mels((None, 300, 40))

    assert turned.rows(pcm)["x"].shape == (40, 198)
    assert [shapes["x"] for shapes in turned.warm_shapes()] == [(40, 198), (40, 398)]
    assert fixed.rows(pcm)["x"].shape == (300, 40)
    assert fixed.max_s == pytest.approx(3.015)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"task": "speech.vad"}, "levels@1 has the task 'speech.vad'; a recogniser needs 'speech.ctc'"),
        (
            {"inputs": (TensorSpec("x", "float32", (None, None, 80)),)},
            "inputs must be sound \\(n, values\\).*x \\['\\?', '\\?', 80\\]",
        ),
    ],
)
def test_a_manifest_of_something_else_is_refused_by_name(changes, complaint):
    with pytest.raises(ConfigError, match=complaint):
        CtcSpec.of(replace(PLAIN, **changes))


def test_a_manifest_without_its_step_is_refused():
    with pytest.raises(ManifestError, match="step_n_pcm"):
        CtcSpec.of(replace(PLAIN, postprocess={}))


def test_repeats_are_one_token_as_long_as_they_last_and_symbols_beyond_the_list_are_none():
    symbols = np.asarray([2, 2, 0, 2, 3, 9, 0], np.int32)
    probabilities = np.asarray([0.5, 0.8, 1.0, 0.9, 0.7, 1.0, 1.0], np.float32)

    tokens = read_steps(symbols, probabilities, LIST, step_s=0.1)

    assert [(one.text, round(one.start_s, 1), round(one.end_s, 1), round(one.score or 0, 1)) for one in tokens] == [
        ("加", 0.0, 0.2, 0.8),
        ("加", 0.3, 0.4, 0.9),
        ("微", 0.4, 0.5, 0.7),
    ]


def test_tokens_come_from_the_graph_before_the_file(tmp_path: Path):
    (tmp_path / "tokens.txt").write_text("a 0\nb 1\n")

    assert read_tokens({"tokens": "x\ny"}, tmp_path, where="m") == ["x", "y"]
    assert read_tokens({}, tmp_path, where="m") == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "m has no tokens; put them into its graph's metadata 'tokens', or beside it as tokens.txt"),
        ("a 0\nb\n", "line 2: 'b' is not a token, a space and its index"),
        ("a 0\nb 2\n", "index 1 is missing"),
        ("a 0\nb 0\n", "line 2: index 0 is there twice"),
    ],
)
def test_a_list_of_tokens_that_makes_no_sense_is_refused_with_its_line(tmp_path: Path, text, complaint):
    if text is not None:
        (tmp_path / "tokens.txt").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_tokens({}, tmp_path, where="m")


def test_a_token_may_be_a_space(tmp_path: Path):
    (tmp_path / "tokens.txt").write_text("  0\n<blk> 1\n")

    assert read_tokens({}, tmp_path, where="m") == [" ", "<blk>"]


def test_the_blank_is_found_by_its_name_or_told():
    assert TokenList.of(["a", "<blk>"], blank_index=None, where="m").blank == 1
    assert TokenList.of(["a", "b"], blank_index=0, where="m").blank == 0
    for tokens, index in ((["a", "b"], None), (["a"], 3), ([], None)):
        with pytest.raises(ConfigError, match=r"m (has no blank|is empty)"):
            TokenList.of(tokens, blank_index=index, where="m")
