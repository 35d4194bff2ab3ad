"""From where on it is too much: what one user does may be a finding, what a whole room chants never is."""

from __future__ import annotations

import pytest

from inference.policy_book import PolicyBook
from inference.samples import Scene
from inference.text.behaviour import SpamThresholds, findings_of, is_chant
from inference.text.conversation import FIRST, MAX_SPOKEN, Said
from inference.verdicts import Decision
from models.taxonomy import Taxonomy

ADVERTISEMENT = "谁能借我10吃饭愿意借的加我好友"


def labels(said: Said, key: str = ADVERTISEMENT, thresholds: SpamThresholds | None = None) -> list[tuple[str, str | None, float]]:
    found = findings_of(said, key, thresholds or SpamThresholds())
    return [(finding.label, finding.sublabel, finding.score) for finding in found]


def test_a_message_like_none_before_is_no_finding():
    assert findings_of(FIRST, ADVERTISEMENT) == ()


def test_below_the_thresholds_nothing_is_found():
    assert labels(Said(5, 19, 9, ())) == []


def test_each_threshold_is_a_finding_that_is_worth_a_look():
    assert labels(Said(6, 1, 1, ())) == [("spam.repeat", None, 0.7)]
    assert labels(Said(1, 1, 10, ())) == [("spam.flood", None, 0.7)]
    assert labels(Said(1, 20, 1, ())) == [("spam.flood", "swarm", 0.7)]


def test_scores_rise_with_the_counts():
    scores = [labels(Said(n, 1, 1, ()))[0][2] for n in (6, 7, 12, 60, 100_000)]

    assert scores == sorted(set(scores))
    assert (scores[2], scores[-1]) == (0.85, 1.0)


def test_all_that_is_too_much_is_told():
    assert [label[:2] for label in labels(Said(60, 200, 64, ()))] == [
        ("spam.flood", None),
        ("spam.repeat", None),
        ("spam.flood", "swarm"),
    ]


@pytest.mark.parametrize(
    "key", ["666", "233333333333333", "哈哈哈哈哈哈哈哈哈哈哈哈", "hahahahahahahaha", "草", "好耶", "加油", "晚上好", ""]
)
def test_a_chant_of_thousands_is_no_finding(key: str):
    assert is_chant(key)
    assert labels(Said(50, 5000, 9, ()), key) == []


@pytest.mark.parametrize("key", ["主播晚上好", "欢迎来到直播间", "恭喜恭喜发大财啊"])
def test_a_greeting_of_thousands_is_no_finding(key: str):
    assert not is_chant(key)
    assert labels(Said(1, 5000, 1, ()), key) == []


def test_who_floods_floods_whatever_they_write():
    assert labels(Said(30, 1, 20, ()), "666") == [("spam.flood", None, 0.85)]


def test_a_tenants_numbers_are_taken():
    thresholds = SpamThresholds(repeat=2, flood=3, swarm=4, swarm_letters=5)

    assert labels(Said(2, 4, 3, ()), "主播晚上好", thresholds) == [
        ("spam.flood", None, 0.7),
        ("spam.repeat", None, 0.7),
        ("spam.flood", "swarm", 0.7),
    ]


def test_one_message_alone_is_never_too_much():
    with pytest.raises(ValueError, match="at least 2"):
        SpamThresholds(repeat=1)


def test_a_flood_can_be_counted_as_far_as_its_threshold():
    assert SpamThresholds().flood <= MAX_SPOKEN


@pytest.mark.parametrize("scene", [Scene.DANMAKU, Scene.PRIVATE_MSG, Scene.NICKNAME])
def test_the_shipped_policy_lets_a_person_look_and_never_blocks(scene: Scene):
    book = PolicyBook.load(taxonomy=Taxonomy.load())
    policy = book.for_text("", scene)
    just, far = (findings_of(Said(n, n, min(n, MAX_SPOKEN), ()), ADVERTISEMENT) for n in (20, 100_000))

    assert {judged.decision for judged in policy.decide((*just, *far), scene=scene).judged} == {Decision.REVIEW}
    assert len(far) == 3
