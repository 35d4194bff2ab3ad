"""From looks at a room's sound to what is told: one violation per utterance, its clip stored, never the worst on a word alone."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from inference.engine import Engine, Parts
from inference.metrics import Metrics
from inference.policy_book import PolicyBook
from inference.samples import SAMPLE_RATE_HZ, AudioClip, FrameSample, Modality, RgbPicture, Scene
from inference.testing import ManualClock, fake_device
from inference.text.check import TextChecker
from inference.verdicts import Finding, Heard, Span, TextMatch
from models.taxonomy import Taxonomy
from streams.alerts import Topic
from streams.judging import Judge
from streams.lifecycle import HealthMark, RoomHealth
from streams.looks import Look, Sample
from streams.rooms import Broadcast, RoomSpec
from streams.settings import Settings
from streams.stores import Stores
from streams.watching import Watch

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Told:
    """A judge over real stores, and everything it told."""

    judge: Judge
    stores: Stores
    watch: Watch

    @property
    def violations(self) -> list[dict[str, Any]]:
        """What was committed of violations, in order."""
        rows = self.stores.outbox.since(0, 1000)
        return [msgspec.json.decode(row.event.value) for row in rows if row.event.topic == Topic.VIOLATIONS]

    async def look(self, sample: Sample, *findings: Finding) -> None:
        detector = findings[0].detector if findings else "spotting"
        await self.judge.look(Look(sample, detector, findings), self.watch)


@pytest.fixture(scope="module")
def checker() -> TextChecker:
    return TextChecker.load(base=False)


@pytest.fixture
def told(tmp_path: Path, checker: TextChecker) -> Iterator[Told]:
    clock, metrics = ManualClock(), Metrics()
    settings = Settings(data_dir=tmp_path)
    policies = PolicyBook.load((), taxonomy=Taxonomy.load())
    stores = Stores.open(settings, clock=clock, metrics=metrics)
    with fake_device(clock=clock) as device, ThreadPoolExecutor(1) as threads:
        engine = Engine(Parts({}, {}, checker, policies, device, threads), clock=clock, metrics=metrics)
        broadcast = Broadcast(RoomSpec(room_id="9999"), "s1", NOW, clock.now_s())
        told = Told(
            Judge(engine, stores, clock=clock), stores, Watch(broadcast, policies.for_room("any"), RoomHealth({}, now_s=0.0))
        )
        yield told
        stores.close()


def window(start_s: float, seconds: float = 8.0) -> AudioClip:
    pcm = np.full(round(seconds * SAMPLE_RATE_HZ), 0.25, np.float32)
    return AudioClip("9999", "s1", start_s, NOW, 0.0, pcm)


def said(at_s: float, *, label: str = "ads.contact", term: str = "加微信", score: float = 0.8) -> Finding:
    text, span = "lai jia wei xin ba", Span(4, 15)
    match = TextMatch("base@1", term, (span,), text[span.start : span.end], ("spoken",))
    heard = Heard(at_s, at_s + 0.6, match.matched)
    return Finding(label, score, Modality.AUDIO, "spotting", at_s, text=text, match=match, heard=heard)


def picture(pts_s: float) -> FrameSample:
    return FrameSample("9999", "s1", pts_s, NOW, 0.0, RgbPicture(np.zeros((36, 64, 3), np.uint8)))


async def test_an_utterance_in_two_windows_is_one_violation_with_one_clip_told_at_its_own_time(told: Told):
    await told.look(window(0.0), said(6.2))
    await told.look(window(4.0), said(6.24))

    (opened,) = told.violations
    assert (opened["kind"], opened["label"], opened["decision"], opened["severity"]) == ("opened", "ads.contact", "review", 2)
    assert (opened["temporal"]["first_seen_s"], opened["temporal"]["hits"]) == (6.2, 1)
    (audio,) = opened["evidence"]["audio"]
    assert (audio["start_s"], audio["end_s"]) == (0.0, 8.0)
    assert (audio["transcript"], audio["spans"]) == ("lai jia wei xin ba", [[4, 15]])
    with wave.open(io.BytesIO(told.stores.evidence.read(audio["uri"]))) as file:
        assert (file.getframerate(), file.getnframes()) == (SAMPLE_RATE_HZ, 8 * SAMPLE_RATE_HZ)
    assert opened["reason"]["zh"] == "语音命中联系方式（微信/QQ/手机号）：“加微信”（听到：jia wei xin）"


async def test_said_again_it_is_told_within_the_same_violation(told: Told):
    await told.look(window(0.0), said(6.2))
    await told.look(window(4.0), said(6.24), said(10.5))
    await told.judge.end(told.watch)

    assert [one["kind"] for one in told.violations] == ["opened", "closed"]
    closed = told.violations[-1]
    assert closed["temporal"]["hits"] == 2
    assert [audio["start_s"] for audio in closed["evidence"]["audio"]] == [0.0, 4.0]


async def test_two_things_said_in_one_window_are_two_violations_over_one_clip(told: Told):
    await told.look(window(0.0), said(1.0), said(5.0, label="gambling.promo", term="赌博"))

    assert sorted(one["label"] for one in told.violations) == ["ads.contact", "gambling.promo"]
    assert len({one["evidence"]["audio"][0]["uri"] for one in told.violations}) == 1


async def test_a_word_alone_is_never_told_as_the_worst_and_with_a_picture_it_is(told: Told):
    await told.look(window(0.0), said(2.0, label="porn.solicit", term="约炮", score=0.95))
    for pts_s in (9.0, 11.0):
        await told.look(picture(pts_s), Finding("porn.nudity", 0.7, Modality.IMAGE, "porn", pts_s))
    await told.look(window(8.0), said(12.0, label="porn.solicit", term="约炮", score=0.95))

    heard = [one for one in told.violations if one["label"] == "porn.solicit"]
    assert [(one["kind"], one["decision"], one["severity"]) for one in heard] == [("opened", "review", 3), ("updated", "block", 4)]


async def test_what_a_viewer_writes_seconds_nothing(told: Told):
    await told.judge.text(told.watch, "加qq123456789", Scene.DANMAKU)
    await told.look(window(0.0), said(2.0, label="ads.divert", term="加群", score=0.95))

    assert {one["label"]: one["decision"] for one in told.violations} == {"ads.contact": "block", "ads.divert": "review"}


async def test_a_clip_that_cannot_be_stored_is_told_all_the_same(told: Told, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> str:
        raise OSError(5, "input/output error")

    monkeypatch.setattr("streams.evidence.RETRY_PAUSES_S", ())
    monkeypatch.setattr(told.stores.evidence._shelf, "put", full)
    await told.look(window(0.0), said(2.0))

    (opened,) = told.violations
    assert opened["evidence"]["audio"] == []
    assert "missing" in opened["evidence"]["notes"][0]


async def test_what_was_told_of_a_sessions_health_is_known_to_the_worker_after_this_one(told: Told):
    watch = told.watch
    watch.health = RoomHealth({Modality.IMAGE: 10.0}, now_s=0.0)

    await told.judge.health(watch, watch.health.scored(Modality.IMAGE, now_s=0.0))
    assert told.judge.told_of(watch.broadcast) == watch.health.mark == HealthMark(1, True, None)
    assert told.judge.told_of(replace(watch.broadcast, session_id="another")) is None

    await told.judge.health(watch, watch.health.end(now_s=1.0))
    assert told.judge.told_of(watch.broadcast) is None
