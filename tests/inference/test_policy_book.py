"""All policies together: inheritance, who serves whom, reload, shadows, and what ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import ConfigError, NotFound
from inference.policy import SamplingPolicy
from inference.policy_book import PolicyBook
from inference.samples import Modality, Scene
from inference.verdicts import Decision, Finding
from models.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
ROOT = Path(__file__).resolve().parents[2]
CONTACT = Finding("ads.contact", 0.5, Modality.IMAGE, "ocr")


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str, name: str = "mine.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def load(*paths: Path) -> PolicyBook:
    return PolicyBook.load(paths, taxonomy=TAXONOMY)


def refusal(*paths: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(*paths)
    return str(caught.value)


def test_the_shipped_policies_judge_every_label_of_every_modality():
    book = load()

    assert [policy.id for policy in book] == ["default", "danmaku-default"]
    for policy in book:
        for label in TAXONOMY:
            assert all(policy.rule_for(label.code, Modality(modality)) is not None for modality in label.modalities), label.code


@pytest.mark.parametrize(
    ("scene", "modality"), [(Scene.OCR, Modality.IMAGE), (Scene.ASR, Modality.AUDIO), (Scene.DANMAKU, Modality.TEXT)]
)
def test_the_shipped_policy_quotes_the_words_that_it_judges(scene: Scene, modality: Modality):
    policy = load()["default"]
    for label in TAXONOMY:
        said = Finding(label.code, 0.99, modality, "words", text="说的话")
        (judged,) = policy.decide([said], scene=scene).judged
        reason = policy.reason(judged, scene=scene)
        assert "说的话" in reason.zh, label.code
        assert "说的话" in reason.en, label.code


@pytest.mark.parametrize(("scene", "modality"), [(Scene.ASR, Modality.AUDIO), (Scene.DANMAKU, Modality.TEXT)])
def test_what_is_said_once_counts_by_the_shipped_policy(scene: Scene, modality: Modality):
    policy = load()["default"]
    for label in (label for label in TAXONOMY if label.family != "quality"):  # nobody says those
        rule = policy.rule_of(Finding(label.code, 0.99, modality, "words", text="说的话"), scene=scene)
        assert rule is not None
        assert (rule.hits, rule.window) == (1, 1), label.code


def test_the_shipped_policy_never_advises_to_cut_a_stream_for_what_a_viewer_wrote():
    for policy in load():
        rules = [policy.rule_for(label.code, Modality.TEXT) for label in TAXONOMY if "text" in label.modalities]
        assert all(rule is not None and "cut_stream" not in (rule.review_hint, rule.block_hint) for rule in rules)


def test_the_shipped_policy_blocks_nothing_benign_that_the_porn_detector_was_seen_to_alarm_on():
    rule = load()["default"].rule_for("porn.explicit", Modality.IMAGE)

    assert rule is not None
    assert rule.review > 0.5  # raw 0.4, which alarmed on 1.6 % of benign frames
    assert rule.block is not None
    assert rule.block > 0.85  # the cartoon rabbit
    assert (rule.hits, rule.window) == (2, 3)


def test_what_is_heard_alone_is_never_blocked_by_the_shipped_policy():
    heard = Finding("gambling.promo", 1.0, Modality.AUDIO, "spotting")

    assert load()["default"].decide([heard]).decision is Decision.REVIEW


def test_an_advert_with_a_contact_in_a_chat_is_dropped_by_the_shipped_policy():
    book = load()
    verdict = book.verdict(
        book.for_text("", Scene.DANMAKU), [Finding("ads.contact", 0.99, Modality.TEXT, "lexicon")], scene=Scene.DANMAKU
    )

    assert verdict.leading is not None
    assert (verdict.policy.id, verdict.decision, verdict.leading.action_hint) == ("danmaku-default", Decision.BLOCK, "drop")


def test_the_example_of_a_deployment_works_and_inherits():
    book = load(ROOT / "deploy" / "policy.yaml")
    mine = book.for_room("game")

    assert (mine.id, mine.sampling.interval_s, mine.sampling.max_age_s) == ("game-rooms", 2.5, 1.8)
    assert (mine.cadence["codes"].every_s, mine.cadence["codes"].floor_s) == (3.0, 12.0)
    assert {"porn", "ocr", "codes", "vad", "spotting", "quality"} <= set(mine.cadence)
    rule = mine.rule_for("ads.qr_code", Modality.IMAGE)
    assert rule is not None
    assert (rule.review_hint, rule.hits, rule.min_area, len(rule.zones.exclude)) == ("hold", 1, 0.002, 2)


def test_a_room_gets_the_policy_it_names_its_business_or_everybody_has(write):
    book = load(write("id: mine\nversion: 1\ninherits: default\nbiz: [game]\n"))

    assert book.for_room("game").id == "mine"
    assert book.for_room("music").id == "default"
    assert book.for_room("music", "mine").id == "mine"
    with pytest.raises(NotFound, match="no policy 'mien'; did you mean 'mine'"):
        book.for_room("game", "mien")


def test_a_text_gets_the_policy_of_its_scene_before_its_business(write):
    book = load(
        write("id: mine\nversion: 1\nbiz: [game]\n---\nid: chat\nversion: 1\nbiz: [show]\nscenes: [danmaku]\n"),
    )

    assert book.for_text("game", Scene.DANMAKU).id == "danmaku-default"
    assert book.for_text("show", Scene.DANMAKU).id == "chat"
    assert book.for_text("game", Scene.OCR).id == "mine"
    assert book.for_text("other", Scene.ASR).id == "default"
    assert book.for_text("other", Scene.ASR, "chat").id == "chat"


def test_a_tenants_policy_for_everybody_goes_before_the_shipped_one(write):
    assert load(write("id: mine\nversion: 1\nbiz: ['*']\n")).for_room("any").id == "mine"


def test_a_policy_without_a_parent_has_only_what_it_says(write):
    bare = load(write("id: bare\nversion: 1\n"))["bare"]

    assert bare.sampling == SamplingPolicy()
    assert (bare.cadence, bare.layers) == ({}, ())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id: default\nversion: 2\n", "policy id 'default' is taken (default_policy.yaml, line"),
        ("id: a\nversion: 1\n---\nid: a\nversion: 1\n", "policy id 'a' is taken"),
        ("id: a\nversion: 1\ninherits: defualt\n", "inherits: no policy 'defualt'; did you mean 'default'?"),
        ("id: a\nversion: 1\ninherits: a\n", "inherits: policy 'a' names itself"),
        ("id: a\nversion: 1\nshadow: [a, zzz]\n", "shadow: no policy 'zzz'"),
        ("id: a\nversion: 1\ninherits: b\n---\nid: b\nversion: 1\ninherits: a\n", "goes round in a circle: a -> b -> a"),
        ("id: a\nversion: 1\nbiz: [x]\n---\nid: b\nversion: 1\nbiz: [x]\n", "business 'x' is served by 'a' already"),
        (
            "id: a\nversion: 1\nbiz: [x]\nscenes: [ocr]\n---\nid: b\nversion: 1\nbiz: [x]\nscenes: [ocr]\n",
            "business 'x' in scene 'ocr' is served by 'a' already",
        ),
        ("id: a\nversion: 1\ncadence: {porn: {every_s: 2}}\n", "cadence.porn: needs both every_s and floor_s"),
        ("id: a\nversion: 1\ncadence: {porn: {every_s: 4, floor_s: 2}}\n", "cadence.porn: floor_s 2 is below every_s 4"),
        ("id: a\nversion: 1\nsampling: {interval_s: 60}\n", "sampling: force_every_s 30 is below interval_s 60"),
        (
            "id: a\nversion: 1\ninherits: default\nrules: [{label: ads.contact, review: 0.95}]\n",
            "rules[0]: block 0.85 is below review 0.95; raise block or lower review (policy 'a', as it holds for ads.contact)",
        ),
    ],
)
def test_policies_that_cannot_work_together_are_refused(write, text: str, told: str):
    assert told in refusal(write(text))


def test_a_policy_may_name_the_same_business_twice(write):
    assert load(write("id: a\nversion: 1\nbiz: [x, x]\n")).for_room("x").id == "a"


def test_mistakes_of_several_files_are_told_together(write):
    message = refusal(write("id: a\n", "a.yaml"), write("id: b\n", "b.yaml"))

    assert "a.yaml, line 1" in message
    assert "b.yaml, line 1" in message


def test_a_verdict_carries_what_candidates_would_have_said(write):
    book = load(
        write(
            "id: live\nversion: 1\nshadow: [strict]\nrules: [{label: '*', review: 0.6}]\n"
            "---\nid: strict\nversion: 1\nrules: [{label: '*', review: 0.3, block: 0.4}]\n"
        )
    )

    verdict = book.verdict(book["live"], [CONTACT])
    assert (verdict.decision, dict(verdict.shadow)) == (Decision.PASS, {"strict": Decision.BLOCK})
    assert book.verdict(book["strict"], [CONTACT]).shadow == {}


def test_a_reload_swaps_everything_and_tells_what_changed(write):
    path = write("id: mine\nversion: 1\nbiz: [game]\nshadow: [old]\n---\nid: old\nversion: 1\n")
    book = load(path)
    before = book["mine"]
    write("id: mine\nversion: 1\nbiz: [game]\nrules: [{label: '*'}]\n---\nid: new\nversion: 1\n")

    report = book.reload()

    assert (report.problem, report.changed, report.unversioned) == (None, ("mine", "new", "old"), ("mine",))
    assert len(book.for_room("game").layers) == 1
    assert book.verdict(before, [CONTACT]).shadow == {}  # the room still holds the older policy, whose candidate is gone


def test_a_reload_of_the_same_files_changes_nothing(write):
    path = write("id: mine\nversion: 1\nrules: [{label: '*', review: 0.3}]\n")
    book = load(path)
    write("# a comment moves every line\nid: mine\nversion: 1\nrules: [{label: '*', review: 0.3}]\n")

    assert book.reload().changed == ()


def test_a_reload_that_fails_keeps_the_old_and_says_why(write):
    book = load(write("id: mine\nversion: 1\nbiz: [game]\n"))
    write("id: mine\nversion: 2\nbiz: [game]\nrulez: []\n")

    report = book.reload()

    assert "did you mean 'rules'?" in str(report.problem)
    assert book.for_room("game").version == 1
