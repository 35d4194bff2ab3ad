from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")
pytest.importorskip("onnx", reason="onnx is in the dependency group train only")

from inference.devices import DeviceShare  # noqa: E402
from inference.sessions import OnnxSession  # noqa: E402
from inference.verdicts import ModelRef  # noqa: E402
from models.errors import DataError  # noqa: E402
from models.networks import speech_export  # noqa: E402
from models.networks.speech import SpeechNet, SpeechShape  # noqa: E402
from models.networks.speech_card import SPOTTING, speech_table  # noqa: E402
from models.networks.speech_commands import HeldOut  # noqa: E402
from models.networks.speech_export import compare_speech, export_speech, speech_graph  # noqa: E402
from models.networks.speech_train import Batch, SpeechPlan, SpeechRun, load_best_speech  # noqa: E402
from models.shipped import FOLDER  # noqa: E402
from models.speech_bank import Kind  # noqa: E402
from models.speech_codec import UNITS  # noqa: E402
from models.speech_evaluate import Group, write_evaluation  # noqa: E402
from models.speech_mix import Example, Mixer  # noqa: E402
from models.store import ModelStore  # noqa: E402
from tests.models.speech_sets import READINGS, recordings, small_bank  # noqa: E402

SMALL = SpeechShape(width=16, n_blocks=2, kernel=5, n_maps=4, dropout=0.0)
PLAN = SpeechPlan(n_epochs=3, n_steps=2, n_sound=320, n_frames=(80, 120, 160))
EVALUATION = {
    "split": "a split",
    "epoch": 3,
    "unit_error": {"strangers": {"clean": 0.5, "noise_10db": 0.75}},
    "units": {"strangers": 12},
    "by_voice": {"strangers": {"x": 0.5}},
}


class Serving:
    """Runs graphs as serving does."""

    def fold(self, text: str) -> str:
        return text

    def run(self, graph: bytes, inputs: np.ndarray) -> np.ndarray:
        session = OnnxSession(graph, ref=ModelRef("draft", "0", "0" * 64), share=DeviceShare.auto("cpu"))
        return session.run({session.input_names[0]: inputs})[session.output_names[0]]


def new_run(tmp_path, plan: SpeechPlan = PLAN, shape: SpeechShape = SMALL) -> SpeechRun:
    mixer = Mixer(small_bank(tmp_path / "bank"), READINGS, [])
    held_out = HeldOut.of({Group.WORDS: [one for kind, one in recordings() if kind is Kind.WORDS]})
    return SpeechRun(mixer, held_out, tmp_path / "run", plan, shape)


def weights(run: SpeechRun) -> list[np.ndarray]:
    return [one.detach().numpy().copy() for one in run.net.parameters()]


def quiet(_line: str) -> None:
    """Take a line and say nothing."""


def test_a_run_that_was_stopped_goes_on_as_an_unbroken_one(tmp_path):
    whole = new_run(tmp_path / "whole")
    whole.train(tell=quiet)
    ticks = iter([0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 100.0])
    new_run(tmp_path / "broken").train(budget_s=150.0, tell=quiet, clock=lambda: next(ticks))

    again = new_run(tmp_path / "broken")
    assert again.resume()
    assert again.progress.epoch == 1
    again.train(tell=quiet)

    assert again.progress.epoch == 3
    assert all(np.array_equal(one, other) for one, other in zip(weights(again), weights(whole), strict=True))
    assert [row["epoch"] for row in json.loads((tmp_path / "broken" / "run" / "history.json").read_text())] == [1, 2, 3]


def test_a_new_folder_has_nothing_to_resume(tmp_path):
    assert not new_run(tmp_path).resume()


def test_a_resumed_run_may_last_longer_but_not_be_another(tmp_path):
    new_run(tmp_path).train(tell=quiet)

    assert new_run(tmp_path, SpeechPlan(5, 2, 320, (80, 120, 160))).resume()
    with pytest.raises(DataError, match="made with another plan"):
        new_run(tmp_path, SpeechPlan(3, 2, 320, (80, 120, 170))).resume()
    with pytest.raises(DataError, match="made with another shape"):
        new_run(tmp_path, PLAN, SpeechShape(width=24, n_blocks=2, kernel=5, n_maps=4, dropout=0.0)).resume()


def test_training_lowers_the_loss(tmp_path):
    run = new_run(tmp_path, SpeechPlan(n_epochs=3, n_steps=15, n_sound=320, n_frames=(80, 120, 160), rate=0.4))

    history = run.train(tell=quiet).history

    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert run.progress.best <= 1.5


def test_shorter_utterances_of_a_batch_have_silence_behind():
    batch = Batch.of([Example(np.ones((9, 48), np.float32), (3, 4)), Example(np.ones((20, 48), np.float32), (5,))])

    assert batch.features.shape == (2, 20, 48)
    assert batch.features[0, 9:].abs().max() == 0
    assert (batch.n_answers.tolist(), batch.units.tolist(), batch.n_units.tolist()) == ([3, 5], [3, 4, 5], [2, 1])


def test_the_graph_answers_as_the_network_does_and_is_publishable(tmp_path):
    run = new_run(tmp_path)
    run.train(tell=quiet)
    write_evaluation(run.folder, EVALUATION)

    done = export_speech(run.folder, tmp_path / "model", version="7", serving=Serving())

    store = ModelStore(tmp_path / "store")
    manifest = store.show(store.publish(tmp_path / "model")).manifest
    assert manifest.ref == done.ref == "speech-units@7"
    assert manifest.licence.spdx == "CC-BY-SA-4.0"
    assert dict(manifest.postprocess) == dict(SPOTTING)
    assert manifest.metrics == {"strangers_clean": 0.5, "strangers_noise_10db": 0.75}
    assert "largest difference from torch" in done.parity


def test_an_export_keeps_the_numbers_of_spotting_that_are_there(tmp_path):
    run = new_run(tmp_path)
    run.train(tell=quiet)
    write_evaluation(run.folder, EVALUATION)
    export_speech(run.folder, tmp_path / "model", version="1", serving=Serving())
    text = (tmp_path / "model" / "manifest.yaml").read_text().replace("frame_floor: 12.0", "frame_floor: 9.5")
    (tmp_path / "model" / "manifest.yaml").write_text(text)

    export_speech(run.folder, tmp_path / "model", version="2", serving=Serving())

    assert "frame_floor: 9.5" in (tmp_path / "model" / "manifest.yaml").read_text()


def test_a_graph_of_another_network_is_refused():
    torch.manual_seed(1)
    graph = speech_graph(SpeechNet(SMALL).eval())

    with pytest.raises(DataError, match="otherwise than torch"):
        compare_speech(graph, SpeechNet(SMALL).eval(), Serving())


def test_the_graph_names_its_units():
    import onnx

    model = onnx.load_from_string(speech_graph(SpeechNet(SMALL)))

    assert {one.key: one.value for one in model.metadata_props} == {"units": "\n".join(UNITS)}
    assert [one.name for one in model.graph.input] == [speech_export.INPUT]


def test_a_run_without_network_or_figures_is_named(tmp_path):
    with pytest.raises(DataError, match="train first"):
        load_best_speech(tmp_path)
    run = new_run(tmp_path)
    run.train(tell=quiet)
    with pytest.raises(DataError, match="evaluate first"):
        export_speech(run.folder, tmp_path / "model", version="1", serving=Serving())


def test_the_table_has_a_line_for_each_group():
    table = speech_table(EVALUATION)

    assert "| strangers | 12 | 50.0% | 75.0% |" in table
    assert "strangers: x 50.0%" in table


def test_the_shipped_network_is_of_these_units():
    import onnx

    model = onnx.load(FOLDER / "speech-units" / "units.onnx")

    assert model.metadata_props[0].value == "\n".join(UNITS)
