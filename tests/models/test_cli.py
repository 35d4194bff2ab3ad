from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from models.cli import models_app
from models.ledger import State
from models.zoo import Zoo
from tests.models.conftest import tiny_manifest, tiny_zoo, write_model
from tests.models.text_sets import plain_fold, write_sets

RUN = CliRunner()


@pytest.fixture
def zoo(wheel, monkeypatch):
    """Put the tiny zoo in the place of the shipped one."""
    tiny = tiny_zoo(wheel, spdx="AGPL-3.0-only")
    monkeypatch.setattr(Zoo, "load", staticmethod(lambda: tiny))
    return tiny


def run(*arguments: object):
    return RUN.invoke(models_app, [str(one) for one in arguments])


def test_pull_prints_the_licence_and_refuses_what_is_not_accepted(zoo, store, wheel):
    refused = run("pull", "tiny", "--mirror", wheel.parent, "--dir", store.root)

    assert refused.exit_code == 1
    assert "tiny licence AGPL-3.0-only: made for tests" in refused.stdout
    assert "accept_licences" in refused.stderr
    assert zoo.missing(store) == ["tiny"]

    pulled = run("pull", "--all", "--accept", "AGPL-3.0-only", "--mirror", wheel.parent, "--dir", store.root)

    assert pulled.exit_code == 0, pulled.output
    assert store.live("tiny").ref == "tiny@1"


def test_list_tells_what_is_there_and_what_could_be(zoo, store, wheel):
    before = json.loads(run("list", "--json", "--dir", store.root).stdout)
    assert [row["ref"] for row in before["not_pulled"]] == ["tiny@1"]

    run("pull", "tiny", "--accept", "AGPL-3.0-only", "--mirror", wheel.parent, "--dir", store.root)

    after = json.loads(run("list", "--json", "--dir", store.root).stdout)
    own = [(row["ref"], row["state"], row["labels"]) for row in after["models"] if row["ref"].startswith("tiny")]
    assert own == [("tiny@1", "live", ["porn.nudity"])]
    assert after["not_pulled"] == []
    assert "tiny@1" in run("list", "--dir", store.root).stdout


def test_show_gives_classes_and_path(zoo, store, tmp_path):
    store.publish(write_model(tmp_path / "own", tiny_manifest()))

    shown = json.loads(run("show", "tiny", "--json", "--dir", store.root).stdout)

    assert shown["state"] == "draft"
    assert shown["path"] == str(store.root / "tiny" / "1" / "tiny.onnx")
    assert shown["classes"][0] == {"name": "BARE", "label": "porn.nudity", "threshold": 0.3}
    assert "BARE → porn.nudity from 0.3 (raw 0.25)" in run("show", "tiny@1", "--dir", store.root).stdout


def test_the_life_cycle_from_the_command_line(zoo, store, tmp_path):
    store.publish(write_model(tmp_path / "one", tiny_manifest("1")), state=State.LIVE)
    store.publish(write_model(tmp_path / "two", tiny_manifest("2")))

    assert run("approve", "tiny@2", "--dir", store.root).exit_code == 1
    assert "tiny@2 is approved" in run("approve", "tiny@2", "--untested", "--dir", store.root).stdout
    assert "tiny@2 is live" in run("promote", "tiny@2", "--dir", store.root).stdout
    assert "tiny@1 is live" in run("rollback", "tiny", "--dir", store.root).stdout


def test_a_folder_of_ones_own_is_added_as_a_draft_and_added_again_changes_nothing(store, tmp_path):
    folder = write_model(tmp_path / "mine", tiny_manifest("7"))

    for _ in range(2):
        got = RUN.invoke(models_app, ["add", str(folder), "--dir", str(store.root)])
        assert (got.exit_code, got.stdout) == (0, "tiny@7 is draft\n")

    refused = RUN.invoke(models_app, ["add", str(tmp_path / "nothing"), "--dir", str(store.root)])
    assert refused.exit_code == 1
    assert "cannot read manifest" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nope"], "no model 'nope'"),
        (["pull", "nope"], "no model 'nope' in the zoo; known: tiny"),
        (["promote", "tiny@7"], "no model 'tiny'"),
        (["rollback", "tiny"], "no model 'tiny'"),
        (["approve", "Bad Name"], "not a model's name"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(zoo, store, arguments, message):
    got = run(*arguments, "--dir", store.root)

    assert got.exit_code == 1
    assert got.stderr.startswith("error: ")
    assert message in got.stderr
    assert got.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["pull"], ["pull", "tiny", "--all"]])
def test_a_pull_of_nothing_or_of_both_is_written_wrongly(zoo, arguments):
    assert run(*arguments).exit_code == 2


def test_training_without_the_text_engine_says_how_to_run_it(tmp_path):
    got = run("train", "text", "--data", tmp_path, "--out", tmp_path / "run")

    assert got.exit_code == 1
    assert "run it as `livewarden models`" in got.stderr


@pytest.mark.parametrize("command", [["train"], ["evaluate"], ["export", "--to", "m", "--version", "1"]])
def test_training_without_its_packages_says_what_to_install(tmp_path, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("models.train", "models.evaluate", "models.export", "models.networks.text"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    data = [] if command[0] == "export" else ["--data", str(write_sets(tmp_path))]

    got = RUN.invoke(models_app, [command[0], "text", "--out", str(tmp_path / "run"), *data, *command[1:]], obj=PlainServing)

    assert got.exit_code == 1
    assert "pip install --group train" in got.stderr


def test_an_unknown_network_is_written_wrongly(tmp_path):
    assert run("train", "odour", "--data", tmp_path, "--out", tmp_path).exit_code == 2


class PlainServing:
    """Enough of serving for made-up texts; graphs are run by ONNX Runtime."""

    def fold(self, text: str) -> str:
        return plain_fold(text)

    def run(self, graph, ids):
        from inference.text.served import ServedText

        return ServedText().run(graph, ids)


def test_a_network_goes_from_data_to_the_store(tmp_path, store):
    for package in ("torch", "onnx", "sklearn"):
        pytest.importorskip(package, reason=f"{package} is in the dependency group train only")
    data, out, to = write_sets(tmp_path / "sets", 120), tmp_path / "run", tmp_path / "model"

    def training(*arguments: object):
        got = RUN.invoke(models_app, [str(one) for one in arguments], obj=PlainServing)
        assert got.exit_code == 0, got.output
        return got

    assert "best epoch" in training("train", "text", "--data", data, "--out", out, "--epochs", 2).stdout
    assert "resumed after epoch 2" in training("train", "text", "--data", data, "--out", out, "--epochs", 2, "--resume").stderr
    assert "| hate | all |" in training("evaluate", "text", "--data", data, "--out", out, "--no-baseline").stdout
    told = training("export", "text", "--out", out, "--to", to, "--version", 5, "--publish", "--dir", store.root).stdout

    assert "largest difference from torch" in told
    assert store.show("text-classifier@5").state is State.TESTED
