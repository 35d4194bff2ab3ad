"""Rules laid over each other, and verdicts from findings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.policy import Cadence, Policy, SamplingPolicy
from inference.policy_book import PolicyBook
from inference.policy_file import parse_policies
from inference.rules import Reason, Rule, Zone, Zones, settle
from inference.samples import Modality, Scene
from inference.verdicts import Box, Decision, Finding, Span, TextMatch
from models.errors import UnknownLabel
from models.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()


def policy(rules: str) -> Policy:
    draft = parse_policies(f"id: mine\nversion: 7\nrules:\n{rules}", file="mine.yaml", taxonomy=TAXONOMY)[0]
    return Policy("mine", 7, TAXONOMY, draft.layers)


def finding(label: str = "ads.contact", score: float = 0.7, **more: object) -> Finding:
    given = {"modality": Modality.IMAGE, "detector": "ocr", **more}
    return Finding(label, score, **given)  # type: ignore[arg-type]


def test_the_most_specific_rule_wins_and_the_rest_comes_from_below():
    mine = policy(
        "  - {label: '*', review: 0.1, hits: 1}\n  - {label: ads.*, review: 0.2, window: 9}\n  - {label: ads.contact, review: 0.3}"
    )

    rule = mine.rule_for("ads.contact", Modality.IMAGE)
    assert rule is not None
    assert (rule.pattern, rule.review, rule.window, rule.hits) == ("ads.contact", 0.3, 9, 1)
    other = mine.rule_for("ads.url", Modality.IMAGE)
    assert other is not None
    assert (other.pattern, other.review) == ("ads.*", 0.2)


def test_a_family_pattern_covers_labels_without_its_prefix():
    rule = policy("  - {label: contraband.*, review: 0.2}").rule_for("drugs", Modality.IMAGE)

    assert rule is not None
    assert rule.pattern == "contraband.*"


def test_a_rule_for_one_modality_or_scene_goes_before_one_for_all():
    mine = policy(
        "  - {label: ads.*, modality: text, review: 0.2}\n  - {label: ads.*, review: 0.9, block: never}\n"
        "  - {label: ads.*, scene: ocr, review: 0.4}"
    )

    found = {
        (modality, scene): mine.rule_for("ads.contact", modality, scene)
        for modality in (Modality.TEXT, Modality.IMAGE)
        for scene in (None, Scene.OCR)
    }
    assert {ground: rule.review for ground, rule in found.items() if rule} == {
        (Modality.TEXT, None): 0.2,
        (Modality.TEXT, Scene.OCR): 0.4,
        (Modality.IMAGE, None): 0.9,
        (Modality.IMAGE, Scene.OCR): 0.4,
    }


def test_a_label_without_a_rule_passes():
    verdict = policy("  - {label: porn.*, review: 0.1}").decide([finding(score=1.0)])

    assert verdict.decision is Decision.PASS
    assert (verdict.judged[0].rule, verdict.judged[0].action_hint) == ("", "pass")


def test_an_unknown_label_is_an_error_not_a_pass():
    with pytest.raises(UnknownLabel, match=r"ads\.qr_code"):
        policy("  - {label: '*'}").decide([finding("ads.qrcode")])


@pytest.mark.parametrize(
    ("score", "decision", "hint"),
    [(0.59, Decision.PASS, "pass"), (0.6, Decision.REVIEW, "warn"), (0.89, Decision.REVIEW, "warn"), (0.9, Decision.BLOCK, "hold")],
)
def test_thresholds_are_reached_at_their_own_value(score: float, decision: Decision, hint: str):
    judged = policy("  - {label: '*', review: 0.6, block: 0.9}").decide([finding(score=score)]).judged[0]

    assert (judged.decision, judged.action_hint) == (decision, hint)


def test_no_finding_passes_and_has_no_leading_one():
    verdict = policy("  - {label: '*'}").decide([])

    assert (verdict.decision, verdict.leading, verdict.policy.version) == (Decision.PASS, None, 7)


def test_block_never_is_never():
    assert policy("  - {label: '*', review: 0.5, block: never}").decide([finding(score=1.0)]).decision is Decision.REVIEW


def test_the_harshest_then_the_surest_finding_leads():
    mine = policy("  - {label: '*', review: 0.5, block: never}\n  - {label: porn.*, block: 0.7}")

    verdict = mine.decide([finding(score=0.99), finding("porn.nudity", 0.7), finding(score=0.2), finding("ads.url", 0.98)])

    assert [one.finding.score for one in verdict.judged] == [0.7, 0.99, 0.98, 0.2]
    assert verdict.decision is Decision.BLOCK


def test_severity_is_the_rules_or_the_taxonomys():
    mine = policy("  - {label: ads.contact, severity: 4}\n  - {label: '*'}")

    assert [one.severity for one in mine.decide([finding(), finding("ads.qr_code", 0.6)]).judged] == [4, 3]


def test_boxes_outside_the_zones_do_not_count():
    mine = policy(
        "  - {label: '*', review: 0.5, zones: {include: [{x: 0, y: 0, w: 1, h: 0.5}], exclude: [{x: 0.8, y: 0, w: 0.2, h: 0.1}]}}"
    )
    watermark, banner, low = Box(0.85, 0.02, 0.1, 0.05, 0.9), Box(0.1, 0.1, 0.3, 0.1, 0.6), Box(0.1, 0.8, 0.3, 0.1, 0.95)

    kept = mine.decide([finding(score=0.95, boxes=(watermark, banner, low))]).judged[0]
    assert (kept.finding.boxes, kept.finding.score, kept.decision) == ((banner,), 0.6, Decision.REVIEW)
    gone = mine.decide([finding(score=0.95, boxes=(watermark, low))]).judged[0]
    assert (gone.decision, gone.finding.boxes) == (Decision.PASS, (watermark, low))
    whole = mine.decide([finding(score=0.95, boxes=(banner,))]).judged[0]
    assert whole.finding.score == 0.95


def test_small_boxes_do_not_count_and_findings_without_boxes_do():
    mine = policy("  - {label: '*', review: 0.5, min_area: 0.01}")

    small = finding(boxes=(Box(0.1, 0.1, 0.05, 0.1),))
    assert mine.decide([small]).decision is Decision.PASS
    assert mine.decide([finding()]).decision is Decision.REVIEW


@pytest.mark.parametrize(
    ("box", "covered"),
    [
        (Box(0.0, 0.0, 0.2, 0.2), True),
        (Box(0.375, 0.0, 0.25, 0.2), True),
        (Box(0.41, 0.0, 0.2, 0.2), False),
        (Box(0.9, 0.9, 0.1, 0.1), False),
        (Box(0.1, 0.1, 0.0, 0.0), True),
        (Box(0.5, 0.1, 0.0, 0.0), False),
        (Box(0.1, 0.5, 0.0, 0.0), False),
    ],
)
def test_a_zone_covers_a_box_that_lies_half_in_it(box: Box, covered: bool):
    assert Zone(0.0, 0.0, 0.5, 0.5).covers(box) is covered


def test_zones_without_an_include_admit_the_whole_frame():
    assert Zones().admit(Box(0.9, 0.9, 0.05, 0.05))


def test_one_modality_alone_is_capped_until_another_agrees():
    mine = policy("  - {label: '*', review: 0.5, block: 0.8}\n  - {label: '*', modality: audio, alone_max: review}")
    heard = finding("gambling.promo", 0.95, modality=Modality.AUDIO, detector="spotting")

    assert mine.decide([heard]).decision is Decision.REVIEW
    assert mine.decide([heard, finding("gambling.scene", 0.4)]).decision is Decision.REVIEW
    assert mine.decide([heard, finding("ads.url", 0.7)]).decision is Decision.REVIEW
    twice = finding("gambling.scene", 0.95, modality=Modality.AUDIO, detector="asr")
    assert mine.decide([heard, twice]).decision is Decision.REVIEW
    assert mine.decide([heard, finding("gambling.scene", 0.6)]).decision is Decision.BLOCK


def test_what_is_only_heard_is_never_told_as_the_worst_until_another_modality_agrees():
    shipped = PolicyBook.load((), taxonomy=TAXONOMY).for_room("any")
    heard = finding("porn.solicit", 0.8, modality=Modality.AUDIO, detector="spotting")
    seen = finding("porn.nudity", 0.8)

    assert shipped.taxonomy["porn.solicit"].severity == 4
    assert [one.severity for one in shipped.decide([heard]).judged] == [3]
    assert shipped.decide([heard], beside=[seen]).judged[0].severity == 4
    assert shipped.decide([heard], beside=[heard]).judged[0].severity == 3


def test_what_was_found_a_moment_ago_seconds_and_is_not_judged_again():
    mine = policy("  - {label: '*', review: 0.5, block: 0.8}\n  - {label: '*', modality: audio, alone_max: review}")
    heard = finding("gambling.promo", 0.95, modality=Modality.AUDIO, detector="spotting")

    verdict = mine.decide([heard], beside=[finding("gambling.scene", 0.6)])

    assert verdict.decision is Decision.BLOCK
    assert [one.finding.label for one in verdict.judged] == ["gambling.promo"]


def test_a_reason_may_name_the_term():
    mine = policy("  - {label: '*', review: 0.5, reason: {zh: '听到{term}', en: 'heard {term} in {text}'}}")
    match = TextMatch("base@1", "加微信", (Span(0, 11),), "jia wei xin", ("spoken",))
    judged = mine.decide([replace(finding(score=0.7), match=match)]).judged[0]

    assert mine.reason(judged).en == "heard 加微信 in jia wei xin"


def test_a_second_modality_that_no_rule_looks_at_does_not_second():
    mine = policy(
        "  - {label: '*', modality: audio, review: 0.5, block: 0.8, alone_max: review}\n"
        "  - {label: drugs, modality: image, review: 0.1, min_area: 0.5}"
    )
    heard = finding("drugs", 0.95, modality=Modality.AUDIO, detector="spotting")

    assert mine.decide([heard, finding("weapons", 0.9)]).decision is Decision.REVIEW
    assert mine.decide([heard, finding("drugs", 0.9, boxes=(Box(0, 0, 0.1, 0.1),))]).decision is Decision.REVIEW


def test_words_bring_their_own_scene_when_none_is_given():
    mine = policy("  - {label: '*', review: 0.9, block: never}\n  - {label: '*', scene: ocr, review: 0.3}")
    read = finding(score=0.4, text="加微信 abc123")

    assert mine.decide([read]).decision is Decision.REVIEW
    assert mine.decide([finding(score=0.4)]).decision is Decision.PASS
    assert mine.decide([read], scene=Scene.DANMAKU).decision is Decision.PASS
    assert mine.decide([finding(score=0.4, modality=Modality.TEXT, text="x")]).decision is Decision.PASS


def test_a_reason_says_what_was_seen_in_both_languages():
    mine = policy(
        "  - {label: '*', review: 0.5, reason: {zh: '{window}帧中{hits}帧{label_zh}“{text}”', "
        "en: '{label} {label_en} {sublabel} {score} {detector}'}}"
    )
    match = TextMatch("base@1", "加微信", (Span(0, 3),), "加薇信" * 20)
    judged = mine.decide([finding(score=0.756, sublabel="wechat", match=match)]).judged[0]

    reason = mine.reason(judged, hits=3, window=4)
    assert reason.zh == "4帧中3帧联系方式（微信/QQ/手机号）“" + ("加薇信" * 20)[:39] + "…”"
    assert reason.en == "ads.contact Contact info wechat 0.76 ocr"


def test_a_reason_quotes_the_line_or_the_code_and_stands_without_a_rule():
    mine = policy("  - {label: porn.*}")
    qr = mine.decide([finding("ads.qr_code", qr="https://example.com")]).judged[0]

    assert mine.reason(qr).en == "1 of the last 1 samples: QR or mini-program code"
    assert Reason("{text}", "{text}").filled({}).en == ""


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (Rule(), None),
        (Rule(block=None), None),
        (Rule(review=0.9, block=0.5), "block 0.5 is below review 0.9"),
        (Rule(review=0.4, close_below=0.5), "close_below 0.5 is above review 0.4"),
        (Rule(hits=4, window=3), "hits 4 of window 3 can never be reached"),
        (Rule(review=0.6, sure=0.5), "sure 0.5 is below review 0.6"),
    ],
)
def test_numbers_that_contradict_each_other_are_told(rule: Rule, told: str | None):
    problem = rule.problem()

    assert problem is None if told is None else told in str(problem)


def test_sampling_and_cadence_tell_their_contradictions():
    assert "would go unheard" in str(SamplingPolicy(audio_window_s=2.0, audio_hop_s=3.0).problem())
    assert "force_every_s 1 is below" in str(SamplingPolicy(force_every_s=1.0).problem())
    assert SamplingPolicy().problem() is None
    assert "floor_s 1 is below every_s 2" in str(Cadence(2.0, 1.0).problem())
    assert Cadence(2.0, 2.0).problem() is None


@given(score=st.floats(0, 1), review=st.floats(0, 1), gap=st.floats(0, 1))
def test_a_higher_score_is_never_answered_more_mildly(score: float, review: float, gap: float):
    rule = Rule(review=review, block=min(1.0, review + gap))

    assert rule.decision(score).rank <= rule.decision(min(1.0, score + 0.1)).rank


@given(st.permutations(["*", "ads.*", "ads.contact"]))
def test_the_order_in_which_rules_are_written_does_not_matter(order: list[str]):
    thresholds = {"*": 0.1, "ads.*": 0.2, "ads.contact": 0.3}
    mine = policy("\n".join(f"  - {{label: '{label}', review: {thresholds[label]}}}" for label in order))

    assert settle(mine.layers_for("ads.contact", Modality.IMAGE)).review == 0.3


def test_a_policy_shows_itself_shortly():
    assert repr(policy("  - {label: '*'}")) == "Policy(mine version 7, 1 rule layers)"
