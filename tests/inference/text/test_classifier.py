from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from inference.errors import DeadlineExceeded, ModelError, NotReady, Overloaded
from inference.lanes import Lane
from inference.sessions import Rows
from inference.testing import FakeSession, ManualClock, fake_device
from inference.text.classifier import NAME, DirectClassifier, Memory, Reader, TextClassifier
from inference.verdicts import Finding, ModelRef
from models.calibration import Calibration
from models.manifest import ClassSpec, Licence, Manifest, Provenance, TensorSpec
from models.text_codec import FIRST, LENGTHS, Alphabet

ALPHABET = Alphabet("abcdefgh坏狠好 ")
BAD, WORSE = FIRST + 8, FIRST + 9
MANIFEST = Manifest(
    name="text-classifier",
    version="7",
    task="text.classify",
    file="text.onnx",
    sha256="0" * 64,
    inputs=(TensorSpec("ids", "int32", (None, None), 0),),
    outputs=(TensorSpec("scores", "float32", (None, 3), 0),),
    licence=Licence("Apache-2.0", "made for tests"),
    provenance=Provenance("a test"),
    classes=(
        ClassSpec(0, "offensive", "abuse.insult", 0.3, Calibration.of([[0.0, 0.0], [0.5, 0.6], [1.0, 1.0]])),
        ClassSpec(1, "hate", "abuse.hate", 0.3),
        ClassSpec(2, "topic", None),
    ),
)


def verdicts(batch: Rows) -> Rows:
    """坏 is insulting by a half, 狠 hateful by 0.9; the third class is none of ours."""
    ids = batch["ids"]
    columns = (np.where((ids == BAD).any(1), 0.5, 0.0), np.where((ids == WORSE).any(1), 0.9, 0.0), np.ones(len(ids)))
    return {"scores": np.stack(columns, axis=1).astype(np.float32)}


def reader(manifest: Manifest = MANIFEST) -> Reader:
    return Reader(manifest, ALPHABET, ModelRef("text-classifier", "7", "0" * 64))


def fake(**options: object) -> FakeSession:
    return FakeSession("text-classifier", verdicts, input_names=("ids",), **options)  # type: ignore[arg-type]


@contextmanager
def classifier(
    session: FakeSession, *, max_queue: int = 64, clock: ManualClock | None = None, memory: Memory | None = None, warm: bool = True
) -> Iterator[TextClassifier]:
    with fake_device(clock=clock) as device:
        lane = Lane("text-classifier", session, device, max_queue=max_queue)
        if warm:
            lane.warm()
        yield TextClassifier(lane, reader(), clock=device.clock, memory=memory)
        session.release()


def told(findings: tuple[Finding, ...]) -> list[tuple[str, float]]:
    return [(finding.label, round(finding.score, 3)) for finding in findings]


async def test_answers_come_in_order_calibrated_and_only_for_our_labels():
    with classifier(fake()) as scorer:
        answers = await scorer.score(["好", "坏a", "狠坏", "b"])

    assert list(map(told, answers)) == [[], [("abuse.insult", 0.6)], [("abuse.insult", 0.6), ("abuse.hate", 0.9)], []]


async def test_a_finding_names_the_classifier_and_its_model_and_has_no_spans():
    with classifier(fake()) as scorer:
        [[finding]] = await scorer.score(["坏a"])

        assert (finding.detector, finding.modality, finding.match) == (NAME, "text", None)
        assert str(finding.model) == "text-classifier@7"
        assert scorer.labels == {"abuse.insult", "abuse.hate"}
        assert scorer.ref.name == "text-classifier"


def test_a_score_under_the_models_floor_is_no_finding():
    classes = (replace(MANIFEST.classes[0], threshold=0.61), *MANIFEST.classes[1:])

    answers = DirectClassifier(fake(), reader(replace(MANIFEST, classes=classes))).score(["坏"])

    assert answers == [()]


@pytest.mark.parametrize("text", ["", "666", "？？？", "😀😀", "  ", "1 + 1"])
async def test_a_text_without_letters_is_never_scored(text):
    session = fake()
    with classifier(session) as scorer:
        assert await scorer.score([text]) == [()]

    assert session.batches == []


async def test_repeats_are_answered_from_memory_also_where_only_a_run_is_longer():
    session = fake()
    with classifier(session) as scorer:
        first = await scorer.score(["坏aaaaa", "好", "坏aaa"])
        again = await scorer.score(["坏aaaaaaaaa", "好"])

    assert sum(session.batches) == 2
    assert first[0] == first[2] == again[0] != ()
    assert again[1] == ()


def test_memory_forgets_what_was_asked_for_longest_ago():
    memory = Memory(2)
    memory.put("a", ())
    memory.put("b", ())
    assert memory.get("a") == ()

    memory.put("c", ())

    assert (memory.get("a"), memory.get("b"), memory.get("c")) == ((), None, ())
    assert len(memory) == 2


def test_memory_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Memory(0)


@pytest.mark.parametrize("place", [0, 127, 128, 400, 999])
async def test_a_long_text_is_looked_at_everywhere(place):
    text = "ab" * (place // 2) + "ab"[: place % 2] + "坏" + "ab" * ((1000 - place) // 2)
    with classifier(fake()) as scorer:
        [findings] = await scorer.score([text])

    assert told(findings) == [("abuse.insult", 0.6)]


async def test_texts_of_one_length_are_batched_across_callers():
    session = fake()
    with classifier(session) as scorer:
        session.hold()
        waiting = [asyncio.create_task(scorer.score([f"坏{letter}"])) for letter in "abcdefgh"]
        await asyncio.to_thread(session.wait_entered)
        session.release()
        answers = await asyncio.gather(*waiting)

    assert len(session.batches) < len(waiting)
    assert all(told(answer[0]) == [("abuse.insult", 0.6)] for answer in answers)


async def test_a_deadline_ends_the_call_though_the_model_still_runs():
    session = fake()
    with classifier(session, clock=ManualClock()) as scorer:
        session.hold()
        with pytest.raises(DeadlineExceeded, match="1 texts were not scored within"):
            await scorer.score(["坏"], deadline_s=1000.01)


async def test_a_passed_deadline_is_refused_before_any_work_but_not_what_is_remembered():
    session = fake()
    with classifier(session, clock=ManualClock()) as scorer:
        known = await scorer.score(["坏a"])

        assert await scorer.score(["坏a", "666"], deadline_s=999.0) == [known[0], ()]
        with pytest.raises(DeadlineExceeded):
            await scorer.score(["坏b"], deadline_s=999.0)

    assert session.batches == [1]


async def test_a_full_queue_is_overloaded():
    session = fake()
    with classifier(session, max_queue=2) as scorer:
        session.hold()
        waiting = asyncio.create_task(scorer.score(["坏a"]))
        await asyncio.to_thread(session.wait_entered)
        with pytest.raises(Overloaded):
            await scorer.score(["坏b", "坏c", "坏d"])
        session.release()

        assert told((await waiting)[0]) == [("abuse.insult", 0.6)]


async def test_a_failed_batch_is_a_model_error_that_is_not_remembered():
    with classifier(fake(failures=[RuntimeError("lost")])) as scorer:
        with pytest.raises(ModelError, match="lost"):
            await scorer.score(["坏"])

        assert told((await scorer.score(["坏"]))[0]) == [("abuse.insult", 0.6)]


async def test_a_cold_lane_is_not_ready():
    with classifier(fake(), warm=False) as scorer, pytest.raises(NotReady):
        await scorer.score(["坏"])


async def test_texts_scored_together_are_answered_as_if_alone():
    texts = ["坏", "好" * 20, "狠" + "a" * 60, "坏" * 2, "ab" * 90 + "狠"]
    with classifier(fake()) as scorer:
        together = await scorer.score(texts)
    direct = DirectClassifier(fake(), reader())

    assert [told(answer) for answer in together] == [told(direct.score([text])[0]) for text in texts]


def test_one_instance_serves_many_threads():
    memory = Memory(3)

    def use(seed: int) -> bool:
        for turn in range(300):
            memory.put(str((seed + turn) % 7), ())
            memory.get(str(turn % 7))
        return len(memory) <= 3

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(use, range(4)))


def test_the_numbers_are_those_of_the_shared_codec():
    seen: list[np.ndarray] = []

    def note(batch: Rows) -> Rows:
        seen.append(batch["ids"][0])
        return verdicts(batch)

    DirectClassifier(FakeSession(compute=note, input_names=("ids",)), reader()).score(["坏 哈哈哈哈哈"])

    assert seen[0].tolist() == ALPHABET.encode("坏 哈哈哈").tolist()
    assert len(seen[0]) == LENGTHS[0]
