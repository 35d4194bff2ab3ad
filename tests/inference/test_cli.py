"""`livewarden check`: exit codes and lines as CONTRACTS says."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from inference.cli import check

APP = typer.Typer()
APP.command()(check)
RUNNER = CliRunner()


def test_clean_texts_exit_0():
    result = RUNNER.invoke(APP, ["主播加油", "666"])

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["pass", "pass"]


def test_a_violation_exits_1_and_is_masked_with_its_reason():
    result = RUNNER.invoke(APP, ["加薇❤❤abc123"])

    assert result.exit_code == 1
    assert result.stdout.startswith("block   **********  [ads.contact 0.99]")


def test_json_is_one_answer_a_line_in_order_and_nothing_else():
    result = RUNNER.invoke(APP, ["--json", "--scene", "nickname"], input="你好\n加vx abc123\n\n再见\n".encode())

    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["decision"] for answer in answers] == ["pass", "block", "pass", "pass"]
    assert result.exit_code == 1


def test_a_line_that_cannot_be_read_exits_2_and_the_others_are_answered():
    result = RUNNER.invoke(APP, ["--json"], input=b"ok\n\xff\xfe\n" + "加微信\n".encode())

    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert answers[0]["decision"] == "pass"
    assert answers[1]["status"] == 422
    assert answers[2]["label"] == "ads.contact"
    assert result.exit_code == 2


def test_without_json_what_cannot_be_read_is_said_aside():
    result = RUNNER.invoke(APP, ["x" * 10_001])

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "10001 code points" in result.stderr


@pytest.mark.parametrize("arguments", [["-c", "/nowhere/livewarden.yaml", "a"], ["--policy", "absent", "a"]])
def test_bad_settings_and_policies_exit_2(arguments):
    result = RUNNER.invoke(APP, arguments)

    assert result.exit_code == 2
    assert "absent" in result.stderr or "nowhere" in result.stderr
