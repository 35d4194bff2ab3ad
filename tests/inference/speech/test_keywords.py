"""The detector: from a clip to terms heard in it, with the gates before the acoustic model and the lists swapped while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from inference.errors import ModelError
from inference.host import Host
from inference.lanes import Lane
from inference.policy_book import PolicyBook
from inference.samples import SAMPLE_RATE_HZ, AudioClip, Modality, Pcm, Scene
from inference.sessions import Rows
from inference.speech.homophones import Homophones
from inference.speech.keywords import AcousticModel, KeywordDetector, TermSource
from inference.speech.lockstep import CHUNKS, PROBABILITIES
from inference.speech.pronouncing import Pronouncer
from inference.speech.voice import VoiceActivity
from inference.testing import FakeSession, fake_device
from inference.text.check import TextChecker
from inference.text.reasons import reason_for
from inference.verdicts import Decision, Finding
from models.speech_codec import BLANK, UNITS, n_posteriors
from models.taxonomy import Taxonomy
from tests.inference.samples_maker import clip
from tests.inference.speech.posteriors_maker import heard, units_manifest
from tests.inference.speech.voice_maker import manifest as voice_manifest

LOUD = 0.1
LABELS = frozenset(label.code for label in Taxonomy.load())


def loud_is_speech(batch: Rows) -> Rows:
    """A voice-activity net to which everything loud is speech."""
    return {PROBABILITIES: (np.abs(batch[CHUNKS]).max(axis=2) > LOUD / 2).astype(np.float32)}


def hears(spoken: str) -> Callable[[Rows], Rows]:
    """An acoustic model that hears these syllables from the first loud frame of whatever it is given."""

    def compute(batch: Rows) -> Rows:
        features = batch["features"]
        n, count = features.shape[0], n_posteriors(features.shape[1])
        rows = np.full((n, count, len(UNITS)), np.log(1e-4), np.float32)
        rows[:, :, BLANK] = np.log(0.99)
        said = heard(spoken)
        for row, one in zip(rows, features, strict=True):
            first = int(np.flatnonzero(one.mean(axis=1) > 12)[0]) // 4
            row[first : first + len(said)] = said[: len(row) - first]
        return {"log_probs": rows}

    return compute


def sound(*, seconds: float = 8.0, speech: tuple[float, float] = (2.0, 4.0), seed: int = 0) -> Pcm:
    """Silence with something loud in it."""
    pcm = np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)
    first, end = (round(at_s * SAMPLE_RATE_HZ) for at_s in speech)
    pcm[first:end] = np.random.default_rng(seed).normal(0, LOUD, end - first).astype(np.float32)
    return pcm


@contextmanager
def listening(
    threads: ThreadPoolExecutor, checker: TextChecker, spoken: str, *, failures: tuple[BaseException | None, ...] = ()
) -> Iterator[tuple[KeywordDetector, FakeSession]]:
    """A detector whose acoustic model hears the same whatever is said, and that model's session."""
    net = FakeSession("units", hears(spoken), input_names=("features",), failures=failures)
    with fake_device() as device, fake_device() as voice_device:  # so that a test that holds the one does not stop the other
        voice = Lane("vad", FakeSession(compute=loud_is_speech, input_names=(CHUNKS,)), voice_device, max_queue=64)
        lane = Lane("units", net, device, max_queue=64)
        voice.warm()
        lane.warm()
        source = TermSource(
            lambda: checker.in_force,
            Pronouncer(checker.normaliser),
            lambda: datetime(2026, 6, 1, tzinfo=UTC),
            Homophones(checker.words, checker.normaliser.syllables.readings),
        )
        yield (
            KeywordDetector(
                AcousticModel(lane, units_manifest()),
                VoiceActivity(voice, voice_manifest()),
                source,
                host=Host(threads),
                labels=LABELS,
            ),
            net,
        )


@pytest.fixture(scope="module")
def checker() -> TextChecker:
    return TextChecker.load()


async def found(detector: KeywordDetector, sample: AudioClip) -> tuple[Finding, ...]:
    return (await detector.detect(sample)).findings


async def test_a_term_that_is_said_is_found_with_its_time_and_what_was_heard(threads: ThreadPoolExecutor, checker: TextChecker):
    with listening(threads, checker, "ni hao . jia wei xin ba") as (detector, _):
        (one,) = await found(detector, clip(sound(speech=(2.0, 4.0)), start_s=100.0))

    assert (one.label, one.modality, one.detector) == ("ads.contact", Modality.AUDIO, "spotting")
    assert one.match is not None
    assert one.heard is not None
    assert (one.match.term, one.match.matched, one.match.transforms) == ("加微信", "jia wei xin", ("spoken",))
    assert one.text == "ni hao jia wei xin ba"
    assert one.text[one.match.spans[0].start : one.match.spans[0].end] == "jia wei xin"
    assert one.heard.start_s == pytest.approx(102.36, abs=0.09)
    assert one.heard.end_s == pytest.approx(102.36 + 11 * 0.04, abs=0.09)
    assert one.pts_s == one.heard.start_s
    assert 0.6 < one.score <= 0.86  # a term of level 2 is no surer than one that is written
    assert one.model is not None


async def test_a_word_that_sounds_like_a_term_is_told_with_it_and_leaves_it_to_a_person(
    threads: ThreadPoolExecutor, checker: TextChecker
):
    with listening(threads, checker, "dian nao zhong le bing du") as (detector, _):
        (one,) = await found(detector, clip(sound(speech=(2.0, 4.0))))

    assert one.match is not None
    assert one.heard is not None
    assert (one.match.term, one.heard.alike) == ("冰毒", ("病毒",))
    taxonomy = Taxonomy.load()
    policy = PolicyBook.load((), taxonomy=taxonomy).for_room("any")
    verdict = policy.decide([one], scene=Scene.ASR)
    assert verdict.decision is Decision.REVIEW
    assert one.score <= 0.8
    assert reason_for(verdict, taxonomy).zh.endswith("；同音的还有“病毒”，须人工听")
    assert policy.reason(verdict.judged[0], scene=Scene.ASR).en.endswith("; sounds the same as 病毒: listen to it")


async def test_silence_and_what_is_no_speech_never_reach_the_acoustic_model(threads: ThreadPoolExecutor, checker: TextChecker):
    quiet = np.random.default_rng(1).normal(0, LOUD / 20, 4 * SAMPLE_RATE_HZ).astype(np.float32)
    with listening(threads, checker, "jia wei xin") as (detector, net):
        for pcm in (np.zeros(0, np.float32), np.zeros(4 * SAMPLE_RATE_HZ, np.float32), quiet, np.full(9_000, np.nan, np.float32)):
            assert await found(detector, clip(pcm)) == ()

    assert net.batches == []


async def test_only_the_stretches_of_speech_are_heard(threads: ThreadPoolExecutor, checker: TextChecker):
    sizes: list[int] = []
    with listening(threads, checker, "jia wei xin") as (detector, net):
        compute = net._compute
        net._compute = lambda batch: sizes.append(batch["features"].shape[1]) or compute(batch)  # type: ignore[func-returns-value]
        await found(detector, clip(sound(seconds=8.0, speech=(3.0, 3.6))))

    assert sizes == [200]  # 0.6 s, and 0.3 s on either side, of 8


def _all_there(detector: KeywordDetector, n_samples: int) -> bool:
    lane = detector._model.lane.statistics()
    return lane.n_waiting + lane.n_running == n_samples


async def test_rooms_share_batches_and_each_gets_its_own_answer(threads: ThreadPoolExecutor, checker: TextChecker):
    samples = [clip(sound(speech=(1.0, 3.0), seed=number), start_s=number * 10.0) for number in range(6)]
    with listening(threads, checker, "jia wei xin") as (detector, net):
        net.hold()
        waiting = asyncio.gather(*(found(detector, sample) for sample in samples))
        await asyncio.to_thread(net.wait_entered)
        while not _all_there(detector, len(samples)):  # noqa: ASYNC110  nothing tells that a ticket waits
            await asyncio.sleep(0)
        net.release()
        answers = await waiting

    assert [round(one[0].heard.start_s - sample.start_s, 1) for one, sample in zip(answers, samples, strict=True)] == [1.0] * 6  # type: ignore[union-attr]
    assert len(net.batches) <= 3


async def test_a_failed_batch_costs_its_clip_alone(threads: ThreadPoolExecutor, checker: TextChecker):
    with listening(threads, checker, "jia wei xin", failures=(RuntimeError("lost"),)) as (detector, _):
        with pytest.raises(ModelError, match="lost"):
            await detector.detect(clip(sound()))
        assert len(await found(detector, clip(sound()))) == 1


async def test_new_lists_are_listened_for_at_once_and_removed_terms_no_more(threads: ThreadPoolExecutor, tmp_path: Path):
    path = tmp_path / "mine.csv"
    path.write_text("term,label,level\n买金币,ads.account_trade,2\n", encoding="utf-8")
    checker = TextChecker.load((path,), base=False)
    with listening(threads, checker, "mai jin bi . xiao huo che") as (detector, _):
        before = await found(detector, clip(sound()))
        path.write_text("term,label,level\n小火车,custom.word,1\n", encoding="utf-8")
        checker.reload((path,), base=False)
        after = await found(detector, clip(sound()))

    assert [one.match.term for one in before if one.match] == ["买金币"]
    assert [one.match.term for one in after if one.match] == ["小火车"]


async def test_a_term_counts_up_to_its_expiry(threads: ThreadPoolExecutor, tmp_path: Path):
    path = tmp_path / "mine.csv"
    path.write_text("term,label,level,expires\n买金币,ads.boost,2,2026-05-31\n小火车,custom.word,2,2026-06-01\n", encoding="utf-8")
    checker = TextChecker.load((path,), base=False)
    with listening(threads, checker, "mai jin bi . xiao huo che") as (detector, _):
        assert [one.label for one in await found(detector, clip(sound()))] == ["custom.word"]


async def test_a_long_clip_is_heard_in_pieces_and_nothing_is_lost_or_doubled_between(
    threads: ThreadPoolExecutor, checker: TextChecker
):
    with listening(threads, checker, ". " * 15 + "jia wei xin") as (detector, net):
        answer = await found(detector, clip(sound(seconds=30.0, speech=(0.0, 30.0))))

    assert sum(net.batches) == 5
    assert len(answer) == 5  # this net hears the term once in each piece, in frames that are its own
    assert len({one.heard.start_s for one in answer if one.heard}) == 5


async def test_the_vocabulary_is_worked_out_once_a_generation(threads: ThreadPoolExecutor, checker: TextChecker):
    with listening(threads, checker, "jia wei xin") as (detector, _):
        assert detector.vocabulary() is detector.vocabulary()
        assert "加微信" in {listed.term.text for row in detector.vocabulary().listed for listed in row}
