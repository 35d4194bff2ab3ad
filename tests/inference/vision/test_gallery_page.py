from __future__ import annotations

import numpy as np
import pytest

from inference.policy_book import PolicyBook
from inference.samples import Modality
from inference.verdicts import Decision
from inference.vision.gallery_page import (
    FLOOR,
    NEAR,
    OWN,
    SUREST,
    WORTH_A_LOOK,
    GalleryPage,
    Looks,
    Scale,
    TitleLooks,
    page_of,
    scale_of,
    unit_of,
)
from models.taxonomy import Taxonomy

NONE = np.zeros((0, 16), np.float32)


def cluster(seed: int, n: int, *, spread: float = 0.15) -> Looks:
    """Looks of n pictures of one title."""
    rng = np.random.default_rng(seed)
    middle = rng.standard_normal(16)
    return (middle / np.linalg.norm(middle) + spread * rng.standard_normal((n, 16)) / 4).astype(np.float32)


def ordinary(n: int = 200, *, shift: float = 0.0) -> Looks:
    return (np.random.default_rng(99).standard_normal((n, 16)) / 4 + shift).astype(np.float32)


def page(*titles: TitleLooks, shift: float = 0.0) -> GalleryPage:
    return page_of(titles, ordinary(shift=shift))


def test_a_picture_of_a_title_is_found_under_it_and_sure() -> None:
    titles = [TitleLooks(cluster(seed, 8), NONE) for seed in (1, 2, 3)]
    for place, seed in enumerate((1, 2, 3)):
        likeness = page(*titles).likeness(cluster(seed, 20)[15])
        assert likeness is not None
        assert likeness.place == place
        assert likeness.score >= WORTH_A_LOOK


def test_ordinary_frames_are_like_no_title() -> None:
    found = [page(TitleLooks(cluster(1, 8), NONE)).likeness(look) for look in ordinary()]
    assert sum(one is not None and one.score >= WORTH_A_LOOK for one in found) <= 2


def test_what_all_pictures_share_counts_for_nothing() -> None:
    shifted = page(TitleLooks(cluster(1, 8) + 5.0, NONE), shift=5.0)
    stranger = shifted.likeness(ordinary(shift=5.0)[3])
    assert stranger is None or stranger.score < WORTH_A_LOOK
    own = shifted.likeness(cluster(1, 20)[15] + 5.0)
    assert own is not None
    assert own.score >= WORTH_A_LOOK


def test_a_picture_nearer_to_a_counter_example_is_not_told() -> None:
    look = cluster(1, 20)[15]
    assert page(TitleLooks(cluster(1, 8), NONE)).likeness(look) is not None
    assert page(TitleLooks(cluster(1, 8), look[None])).likeness(look) is None


def test_frames_of_the_title_that_passed_as_ordinary_do_not_hide_it() -> None:
    polluted = np.concatenate([ordinary(), cluster(1, 40)[20:30]])
    clean, mixed = (page_of([TitleLooks(cluster(1, 8), NONE)], pool).scales[0] for pool in (ordinary(), polluted))
    assert mixed.near < mixed.own - 0.1
    assert mixed.near == pytest.approx(clean.near, abs=0.15)


def test_a_scale_rises_through_its_three_known_points() -> None:
    scale = Scale(0.3, 0.7)
    scores = [scale.score(cosine) for cosine in (-0.5, 0.0, 0.3, 0.4, 0.7, 1.0)]
    assert scores == pytest.approx([0.0, 0.0, NEAR, WORTH_A_LOOK, OWN, SUREST])


def test_a_look_alone_is_reviewed_and_never_blocked_by_the_shipped_policy_for_rooms() -> None:
    taxonomy = Taxonomy.load()
    policy = PolicyBook.load(taxonomy=taxonomy).for_room("game")
    rules = [policy.rule_for(label.code, Modality.IMAGE) for label in taxonomy]
    surest = Scale(0.3, 0.7).score(1.0)
    assert [rule for rule in rules if rule is not None and rule.decision(surest) is Decision.BLOCK] == []
    regulated = policy.rule_for("banned_game.regulated", Modality.IMAGE)
    assert regulated is not None
    assert regulated.decision(WORTH_A_LOOK) is Decision.REVIEW


def test_a_picture_as_a_poor_stream_shows_it_is_known_as_the_picture_that_it_is() -> None:
    shown, other = cluster(1, 8), cluster(5, 8)
    poor = shown + 0.3 * np.random.default_rng(7).standard_normal(shown.shape).astype(np.float32)
    titles = [TitleLooks(other, NONE, other), TitleLooks(shown, NONE, poor)]
    bare, known = page(TitleLooks(shown, NONE)).likeness(poor[3]), page(*titles).likeness(poor[3])
    assert known is not None
    assert (known.place, known.picture) == (1, 3)
    assert known.cosine == pytest.approx(1.0, abs=1e-5)
    assert bare is None or bare.score < known.score


def test_a_title_of_one_picture_has_a_scale_and_pictures_like_everything_are_not_distinct() -> None:
    pool = unit_of(ordinary(), np.zeros((1, 16), np.float32))
    one, eight = (unit_of(cluster(1, n), np.zeros((1, 16), np.float32)) for n in (1, 8))
    assert scale_of(one, one, pool).own > 0
    assert not scale_of(pool[:60], pool[:60], pool).distinct
    assert scale_of(eight, eight, pool).distinct


def test_without_titles_nothing_is_found_and_without_ordinary_frames_titles_are_still_told_apart() -> None:
    assert GalleryPage().likeness(ordinary()[0]) is None
    bare = page_of([TitleLooks(cluster(seed, 8), NONE) for seed in (1, 2)], NONE)
    likeness = bare.likeness(cluster(2, 20)[15])
    assert likeness is not None
    assert likeness.place == 1
    assert likeness.score >= FLOOR
