"""Policy files: what is read, and how every mistake is told with its line and its fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import ConfigError
from inference.located_yaml import MAX_BYTES, Problems, read_documents
from inference.policy_file import PolicyDraft, parse_policies, read_policies
from inference.samples import Modality, Scene
from inference.verdicts import Decision
from models.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
HEAD = "id: mine\nversion: 1\n"


def parse(text: str) -> list[PolicyDraft]:
    return parse_policies(text, file="policy.yaml", taxonomy=TAXONOMY)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value)


def test_every_field_of_a_policy_is_read():
    draft = parse(
        """
id: mine
version: 3
inherits: default
biz: [game, show]
scenes: danmaku
shadow: [other]
sampling: {interval_s: 1.5, jitter: 0.1, max_age_s: 1, force_every_s: 9, audio: {enabled: false, window_s: 6, hop_s: 3}}
cadence: {porn: {every_s: 1, floor_s: 5}}
rules:
  - label: ads.*
    modality: [image, text]
    scene: ocr
    review: 0.4
    block: 0.8
    close_below: 0.3
    hits: 2
    window: 4
    sure: 0.9
    quiet_s: 10
    cool_down_s: 0
    update_every_s: 5
    severity: 4
    action_hint: {review: hold, block: x_call_anchor}
    zones: {include: [{x: 0, y: 0, w: 1, h: 0.5}], exclude: [{x: 0.8, y: 0, w: 0.2, h: 0.1}]}
    min_area: 0.01
    max_per_hour: 0
    alone_max: review
    alone_max_severity: 3
    reason: {zh: "见{label_zh}", en: "saw {label_en}"}
"""
    )[0]

    assert (draft.id, draft.version, draft.inherits, draft.biz, draft.shadow) == (
        "mine",
        3,
        "default",
        ("game", "show"),
        ("other",),
    )
    assert draft.scenes == (Scene.DANMAKU,)
    assert draft.sampling["audio"] is False
    assert draft.sampling["audio_window_s"] == 6.0
    assert draft.cadence == {"porn": {"every_s": 1.0, "floor_s": 5.0}}
    layer = draft.layers[0]
    assert (layer.modalities, layer.scenes) == ({Modality.IMAGE, Modality.TEXT}, {Scene.OCR})
    assert layer.given["alone_max"] is Decision.REVIEW
    assert layer.given["alone_max_severity"] == 3
    assert layer.given["max_per_hour"] == 0
    assert layer.given["block_hint"] == "x_call_anchor"
    assert layer.given["zones"].exclude[0].x == 0.8
    assert layer.given["reason"].en == "saw {label_en}"


def test_a_bound_is_lifted_by_its_word():
    given = HEAD + "rules: [{label: '*', block: never, sure: never, max_per_hour: none, alone_max: none, alone_max_severity: none}]"
    layer = parse(given)[0].layers[0]

    assert layer.given == dict.fromkeys(("block", "sure", "max_per_hour", "alone_max", "alone_max_severity"))


def test_several_documents_are_several_policies():
    assert [draft.id for draft in parse("id: a\nversion: 1\n---\nid: b\nversion: 1\n---\n")] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: holds no policy"),
        ("- a\n", "line 1: must be a mapping of keys to values, got a list"),
        ("id: a\n", "version: is missing; begin with 1"),
        ("version: 1\n", "id: is missing"),
        ("id: a\nversion: 0\n", "version: must be a whole number from 1 to"),
        ("id: a\nversion: true\n", "version: must be a whole number"),
        ("id: A b\nversion: 1\n", "id: must be small letters"),
        ("id: no\nversion: 1\n", "id: must be text, got False; put it in quotes"),
        (HEAD + "inherits: ''\n", "inherits: must be text"),
        (HEAD + "rulez: []\n", "line 3: rulez: unknown key; did you mean 'rules'?"),
        (HEAD + "zzzzzz: 1\n", "zzzzzz: unknown key; known: biz, cadence"),
        (HEAD + "biz: [1]\n", "biz: must be text, got 1"),
        (HEAD + "scenes: [danmuku]\n", "scenes: unknown value 'danmuku'; did you mean 'danmaku'?"),
        (HEAD + "sampling: 3\n", "sampling: must be a mapping"),
        (HEAD + "sampling: {interval_s: fast}\n", "sampling.interval_s: must be a number from 0.1 to 600, got 'fast'"),
        (HEAD + "sampling: {interval_s: .nan}\n", "sampling.interval_s: must be a number"),
        (HEAD + "sampling: {jitter: true}\n", "sampling.jitter: must be a number"),
        (HEAD + "sampling: {audio: {enabled: maybe}}\n", "sampling.audio.enabled: must be true or false, got 'maybe'"),
        (HEAD + "cadence: {porn: }\n", "cadence.porn: needs every_s and floor_s"),
        (HEAD + "cadence: {'Porn!': {every_s: 1, floor_s: 2}}\n", "is not the name of a detector"),
        (HEAD + "rules: {label: '*'}\n", "rules: must be a list (lines that begin with '- '), got a mapping"),
        (HEAD + "rules: [{review: 0.5}]\n", "rules[0].label: is missing"),
        (HEAD + "rules: [{label: 5}]\n", "rules[0].label: must be text, got 5"),
        (HEAD + "rules: [{label: ads.qrcode}]\n", "rules[0].label: unknown label 'ads.qrcode'; nearest: ads.qr_code"),
        (HEAD + "rules: [{label: '*', review: 2}]\n", "rules[0].review: must be a number from 0 to 1, got 2"),
        (HEAD + "rules: [{label: '*', action_hint: {block: drpo}}]\n", "unknown action hint 'drpo'; did you mean 'drop'?"),
        (
            HEAD + "rules: [{label: '*', alone_max: maybe}]\n",
            "rules[0].alone_max: unknown value 'maybe'; known: block, pass, review",
        ),
        (HEAD + "rules: [{label: '*', modality: [{a: 1}]}]\n", "rules[0].modality: unknown value a mapping"),
        (HEAD + "rules: [{label: '*', zones: {include: [{x: 0.1}]}}]\n", "rules[0].zones.include[0]: needs y, w, h as a share"),
        (HEAD + "rules: [{label: '*', zones: {exclude: 3}}]\n", "rules[0].zones.exclude: must be a list"),
        (HEAD + "rules: [{label: '*', reason: {zh: 有}}]\n", "rules[0].reason.en: is missing; both zh and en are needed"),
        (HEAD + "rules: [{label: '*', reason: {zh: '{x}', en: a}}]\n", "unknown placeholder {x}; known: label, label_zh"),
        (HEAD + "rules: [{label: '*', reason: {zh: '{label.code}', en: a}}]\n", "unknown placeholder {label.code}"),
        (HEAD + "rules: [{label: '*', reason: {zh: '{', en: a}}]\n", "write {{ or }} for a brace"),
        (HEAD + "rules: [{label: '*'}, {label: '*'}]\n", "rules[1]: '*' has a rule under these conditions already"),
        (HEAD + "version: 2\n", "line 3: version: is there twice; keep one"),
        (HEAD + "biz: [a\n", "not valid YAML"),
        (HEAD + "biz: !!python/name:os.system x\n", "not valid YAML: could not determine a constructor"),
        (HEAD + "biz: \x00\n", "line 1: not valid YAML"),
        (HEAD + "biz: &a [x]\nshadow: *a\n", "line 4: alias *a is not allowed"),
        ("[" * 500, "nested deeper than 12 levels"),
        ("#" * (MAX_BYTES + 1), "file is larger than 256 KiB"),
        (HEAD + f"biz: {{a: {'x' * 99}}}\n", "biz: must be text, got a mapping"),
        (HEAD + f"sampling: {{interval_s: {'x' * 99}}}\n", f"got '{'x' * 56}..."),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_fix(text: str, told: str):
    message = refusal(text)

    assert told in message
    assert message.startswith("policy.yaml, line ")


def test_all_mistakes_are_told_at_once():
    message = refusal("id: a\nversion: 1\nrulez: []\nsampling: {jiter: 1}\nrules: [{label: nope.x, revew: 1}]\n")

    assert len(message.splitlines()) == 4
    assert "did you mean 'jitter'?" in message
    assert "did you mean 'review'?" in message


def test_a_tame_bomb_of_aliases_is_refused_before_it_is_built():
    bomb = "a: &a [x]\n" + "".join(
        f"{name}: &{name} [*{before},*{before}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    problems = Problems("bomb.yaml")

    assert read_documents(bomb, problems) == []
    assert "alias" in problems.lines[0]


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"cannot be read: No such file.*setting policies"):
        read_policies(tmp_path / "none.yaml", TAXONOMY)
    (tmp_path / "gbk.yaml").write_bytes("id: 违禁".encode("gbk"))
    with pytest.raises(ConfigError, match="not UTF-8 at byte 6"):
        read_policies(tmp_path / "gbk.yaml", TAXONOMY)


def test_a_file_that_can_be_read_knows_its_own_place(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("\nid: mine\nversion: 1\n", encoding="utf-8")

    assert read_policies(path, TAXONOMY)[0].where == f"{path}, line 2"
