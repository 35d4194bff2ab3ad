"""The policy commands: what they print and how they exit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference.policy_cli import policy_app

RUN = CliRunner()
STRICT = "id: strict\nversion: 2\ninherits: default\nrules: [{label: ads.contact, review: 0.3, block: 0.4}]\n"


@pytest.fixture
def strict(tmp_path: Path) -> str:
    path = tmp_path / "strict.yaml"
    path.write_text(STRICT, encoding="utf-8")
    return str(path)


@pytest.fixture
def findings(tmp_path: Path) -> str:
    contact = {"label": "ads.contact", "score": 0.5, "modality": "image", "detector": "ocr"}
    lines = [
        {"room_id": "9999", "pts_s": 12.0, "findings": [contact]},
        {"findings": [contact], "scene": "danmaku"},
        {"findings": []},
    ]
    path = tmp_path / "findings.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n", encoding="utf-8")
    return str(path)


def test_check_tells_what_it_read(strict: str):
    run = RUN.invoke(policy_app, ["check", strict])

    assert run.exit_code == 0
    assert run.stdout == "strict version 2: 1 rules of its own, serves nobody by itself\n"


def test_check_of_a_bad_file_exits_2_with_the_line_on_standard_error(tmp_path: Path):
    (tmp_path / "bad.yaml").write_text("id: a\nversion: 1\nrulez: []\n", encoding="utf-8")

    run = RUN.invoke(policy_app, ["check", str(tmp_path / "bad.yaml")])

    assert run.exit_code == 2
    assert "line 3: rulez: unknown key; did you mean 'rules'?" in run.stderr


def test_diff_tells_every_number_that_differs(strict: str):
    run = RUN.invoke(policy_app, ["diff", "default", strict])

    assert run.exit_code == 1
    assert {"ads.contact image: review 0.6 -> 0.3", "ads.contact image: block none -> 0.4"} <= set(run.stdout.splitlines())
    assert "ads.url" not in run.stdout


def test_diff_on_a_terminal_is_a_table_that_shows_brackets(strict: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    Path(strict).write_text(STRICT.replace("block: 0.4", "reason: {zh: '[b]', en: '[b]'}"), encoding="utf-8")

    run = RUN.invoke(policy_app, ["diff", "default", strict])

    assert run.exit_code == 1
    assert "default 1" in run.stdout
    assert "strict 2" in run.stdout
    assert "en='[b]'" in run.stdout


def test_diff_can_be_read_by_a_program(strict: str):
    run = RUN.invoke(policy_app, ["diff", "default", strict, "--json"])

    told = json.loads(run.stdout)
    assert (run.exit_code, told["before"], told["after"]) == (1, "default@1", "strict@2")
    assert {"place": "ads.contact image", "name": "review", "before": "0.6", "after": "0.3"} in told["changes"]
    same = RUN.invoke(policy_app, ["diff", "default", "default", "--json"])
    assert (same.exit_code, json.loads(same.stdout)["changes"]) == (0, [])


def test_diff_of_the_same_policy_says_so():
    run = RUN.invoke(policy_app, ["diff", "default", "default"])

    assert run.exit_code == 0
    assert "say the same" in run.stdout


def test_diff_tells_rhythm_scenes_and_rules_that_only_one_has(tmp_path: Path):
    path = tmp_path / "two.yaml"
    path.write_text(
        "id: a\nversion: 1\ncadence: {porn: {every_s: 1, floor_s: 2}}\nrules: [{label: ads.contact, review: 0.5}]\n"
        "---\nid: b\nversion: 1\nsampling: {interval_s: 1}\nrules: [{label: ads.contact, review: 0.5}, "
        "{label: ads.contact, scene: ocr, review: 0.4}, {label: drugs}]\n",
        encoding="utf-8",
    )

    run = RUN.invoke(policy_app, ["diff", "a", "b", "--file", str(path)])

    assert run.stdout.splitlines()[:2] == [
        "sampling: interval_s 2.0 -> 1.0",
        "cadence.porn: all Cadence(every_s=1.0, floor_s=2.0) -> none",
    ]
    assert "ads.contact image in ocr: review 0.5 -> 0.4" in run.stdout
    assert "drugs image: all none -> rule drugs" in run.stdout
    assert "drugs image: all rule drugs -> none" in RUN.invoke(policy_app, ["diff", "b", "a", "-f", str(path)]).stdout


@pytest.mark.parametrize("arguments", [["diff", "default", "nope"], ["replay", "nope", "--findings", "x"]])
def test_an_unknown_policy_exits_2_and_names_the_known(arguments: list[str]):
    run = RUN.invoke(policy_app, arguments)

    assert run.exit_code == 2
    assert "no policy 'nope'; known: danmaku-default, default" in run.stderr


def test_a_file_with_several_policies_is_asked_which(tmp_path: Path):
    path = tmp_path / "two.yaml"
    path.write_text("id: a\nversion: 1\n---\nid: b\nversion: 1\n", encoding="utf-8")

    run = RUN.invoke(policy_app, ["diff", "default", str(path)])

    assert run.exit_code == 2
    assert "holds 2 policies; name one of a, b" in run.stderr


def test_replay_tells_which_samples_a_candidate_would_judge_otherwise(strict: str, findings: str):
    run = RUN.invoke(policy_app, ["replay", strict, "--findings", findings])

    assert run.exit_code == 0
    assert run.stdout.splitlines() == [
        "line 1: room 9999 @ 12.0s: pass -> block (ads.contact 0.50, rule ads.contact)",
        "line 2: pass -> block (ads.contact 0.50, rule ads.contact)",
        "default version 1: pass 3, review 0, block 0",
        "strict version 2: pass 1, review 0, block 2",
        "ads.contact: 2 pass -> block, of 2 findings",
        "2 of 3 samples differ",
    ]


def test_replay_explains_a_milder_candidate_by_what_it_lets_pass(strict: str, findings: str):
    run = RUN.invoke(policy_app, ["replay", "default", "--against", strict, "--findings", findings])

    assert "line 1: room 9999 @ 12.0s: block -> pass (ads.contact 0.50, rule ads.*)" in run.stdout


def test_replay_prints_no_endless_list(strict: str, findings: str):
    path = Path(findings)
    path.write_text(path.read_text(encoding="utf-8") * 40, encoding="utf-8")

    run = RUN.invoke(policy_app, ["replay", strict, "--findings", findings])

    assert "... and 30 more" in run.stdout
    assert "80 of 120 samples differ" in run.stdout


def test_replay_without_a_difference_says_so(findings: str):
    run = RUN.invoke(policy_app, ["replay", "default", "--findings", findings])

    assert (run.exit_code, run.stdout.splitlines()[-1]) == (0, "0 of 3 samples differ")


def test_replay_takes_single_findings(strict: str, tmp_path: Path):
    path = tmp_path / "findings.jsonl"
    said = {"label": "ads.contact", "score": 0.35, "modality": "text", "scene": "danmaku", "detector": "lexicon"}
    shown = {"label": "drugs", "score": 0.3, "modality": "image"}
    path.write_text(f"{json.dumps(said)}\n{json.dumps(shown)}", encoding="utf-8")

    run = RUN.invoke(policy_app, ["replay", strict, "--findings", str(path)])

    assert run.exit_code == 0
    assert run.stdout.splitlines()[0] == "line 1: pass -> review (ads.contact 0.35, rule ads.contact)"
    assert run.stdout.splitlines()[-1] == "1 of 2 samples differ"


def test_replay_takes_violation_events_and_counts_each_violation_once_as_it_ended(tmp_path: Path):
    zoned = tmp_path / "zoned.yaml"
    zones = "{exclude: [{x: 0.5, y: 0, w: 0.5, h: 1}]}"
    zoned.write_text(f"id: zoned\nversion: 1\ninherits: default\nrules: [{{label: ads.*, zones: {zones}}}]\n", encoding="utf-8")
    box = {"x": 0.7, "y": 0.1, "w": 0.2, "h": 0.2, "score": 0.9, "name": "text"}
    event = {
        "schema_version": "1.0",
        "violation_id": "v1",
        "kind": "opened",
        "room_id": "9999",
        "label": "ads.contact",
        "score": 0.9,
        "modality": "image",
        "detector": {"name": "ocr"},
        "temporal": {"hits": 2, "window": 3, "first_seen_s": 1.0, "last_seen_s": 4.0},
        "evidence": {"frames": [{"pts_s": 4.0, "uri": "x", "boxes": [box], "text": "加微信"}]},
    }
    bare = {**event, "violation_id": "v2", "evidence": {"frames": [], "audio": []}}
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(map(json.dumps, (event, bare, {**event, "kind": "closed", "score": 0.95}))), encoding="utf-8")

    run = RUN.invoke(policy_app, ["replay", str(zoned), "--findings", str(path)])

    assert run.stdout.splitlines()[0].startswith("line 3: room 9999 @ 4.0s: review -> pass (ads.contact 0.95, rule ")
    assert run.stdout.splitlines()[-1] == "1 of 2 samples differ"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file"),
        (b'{"findings": 3}', "findings, line 1: Expected `array`"),
        (b"[]", "findings, line 1: expected a JSON object, got list"),
        (b'{"violation_id": "v1"}', "missing required field"),
        (b'{"label": "drugs", "score": 2, "modality": "image"}', "score must be within 0..1"),
        (b'\n{"findings": [', "findings, line 2: Input data was truncated"),
        (b'{"findings": [{"label": "x.y", "score": 0.5, "modality": "image", "detector": "d"}]}', "unknown label 'x.y'"),
        (b'{"findings": [{"label": "drugs", "score": 5, "modality": "image", "detector": "d"}]}', "score must be within 0..1"),
    ],
)
def test_findings_that_cannot_be_read_exit_2_and_name_the_line(tmp_path: Path, content: bytes | None, told: str):
    path = tmp_path / "findings.jsonl"
    if content is not None:
        path.write_bytes(content)

    run = RUN.invoke(policy_app, ["replay", "default", "--findings", str(path)])

    assert run.exit_code == 2
    assert told in run.stderr
