from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from models.cli import models_app
from models.ledger import State
from models.zoo import Zoo
from tests.models.conftest import tiny_manifest, tiny_zoo, write_model

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
    assert [(row["ref"], row["state"], row["labels"]) for row in after["models"]] == [("tiny@1", "live", ["porn.nudity"])]
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
