"""The text network that comes with the product, run as it is served."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inference.devices import DeviceKind, DeviceShare
from inference.errors import ConfigError
from inference.lanes import Device
from inference.loader import ladder_for
from inference.policy_book import PolicyBook
from inference.registry import TEXT, direct_classifier, open_classifier
from inference.samples import Scene
from inference.text.classifier import DirectClassifier, TextClassifier
from inference.text.served import ServedText
from inference.verdicts import Decision, Finding
from models.errors import ModelNotFound
from models.ledger import State
from models.manifest import Licence, Manifest, Provenance, TensorSpec
from models.shipped import Shipped
from models.store import ModelStore
from models.taxonomy import Taxonomy
from tests.onnx_maker import scale_graph

ABUSIVE = ["东北人都是黑社会", "河南人偷井盖", "黑鬼滚出中国", "田园女权真恶心", "you are a bitch", "kill yourself faggot"]
HARMLESS = [
    "我是河南人",
    "东北人都很热情",
    "女司机技术不错",
    "同性恋也有权利",
    "主播加油，这波可以",
    "黑人运动员跑得真快",
    "black people are great",
    "this girl is good at the game",
    "哈哈哈哈哈哈",
    "下一把带飞",
]


@pytest.fixture(scope="module")
def fold():
    return ServedText().fold


@pytest.fixture(scope="module")
def direct(tmp_path_factory) -> DirectClassifier:
    return direct_classifier(ModelStore(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[TextClassifier]:
    device = Device(DeviceShare(DeviceKind.CPU, memory_bytes=1 << 50))
    yield open_classifier(ModelStore(tmp_path_factory.mktemp("store")), device)
    device.close()


@pytest.fixture(scope="module")
def decide():
    book = PolicyBook.load((), taxonomy=Taxonomy.load())
    policy = book.for_text("", Scene.DANMAKU, None)

    def decide(findings: tuple[Finding, ...]) -> Decision:
        return book.verdict(policy, findings, scene=Scene.DANMAKU).decision

    return decide


def test_attacks_are_not_passed_and_what_is_only_about_people_is(direct, fold, decide):
    decisions = {
        text: decide(findings)
        for text, findings in zip(ABUSIVE + HARMLESS, direct.score(list(map(fold, ABUSIVE + HARMLESS))), strict=True)
    }

    assert [text for text in ABUSIVE if decisions[text] is Decision.PASS] == []
    assert [text for text in HARMLESS if decisions[text] is not Decision.PASS] == []


async def test_a_lane_answers_as_the_direct_way_does(served, direct, fold):
    texts = [fold(text) for text in (*ABUSIVE, *HARMLESS, "ab " * 300 + "you are a bitch")]

    through_lane, alone = await served.score(texts), [direct.score([text])[0] for text in texts]

    for one, other in zip(through_lane, alone, strict=True):
        assert [finding.label for finding in one] == [finding.label for finding in other]
        assert [finding.score for finding in one] == pytest.approx([finding.score for finding in other], abs=1e-4)


def test_it_names_itself_and_its_labels(served):
    assert served.ref.name == TEXT
    assert served.labels == {"abuse.insult", "abuse.hate"}


def test_its_calibration_lies_on_the_shipped_policys_thresholds(decide):
    for row in Shipped().find(TEXT).classes:
        review, block = row.calibration.invert(0.5), row.calibration.invert(0.85)
        decisions = [
            decide((Finding(row.label, float(row.calibration.apply(raw)), "text", "classifier"),))
            for raw in (review - 0.01, review + 1e-6, block - 0.01, block + 1e-6)
        ]
        assert decisions == [Decision.PASS, Decision.REVIEW, Decision.REVIEW, Decision.BLOCK]


def test_it_is_batched_on_a_cpu_too():
    assert ladder_for(Shipped().find(TEXT), DeviceKind.CPU)[-1] == 32


@pytest.mark.shared
@pytest.mark.slow
def test_ordinary_danmaku_are_left_alone(direct, fold, decide, shared_data: Path):
    with (shared_data / "text" / "douyu_danmaku" / "data.csv").open(encoding="utf-8", newline="") as file:
        lines = Counter(row["text"] for row in csv.DictReader(file))
    seen: Counter[Decision] = Counter()
    for text, n_seen in lines.items():
        seen[decide(direct.score([fold(text)])[0])] += n_seen

    assert seen[Decision.BLOCK] / seen.total() <= 0.001
    assert seen[Decision.REVIEW] / seen.total() <= 0.01


def test_a_product_without_the_model_says_so(tmp_path):
    with pytest.raises(ModelNotFound, match="no live version of 'text-classifier'"):
        direct_classifier(ModelStore(tmp_path, shipped=Shipped(tmp_path)))


def test_a_graph_without_an_alphabet_is_refused(tmp_path):
    graph = scale_graph()
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "text.onnx").write_bytes(graph)
    tensor = TensorSpec("x", "float32", (None, 3), 0)
    manifest = Manifest(
        name=TEXT,
        version="9",
        task="text.classify",
        file="text.onnx",
        sha256=hashlib.sha256(graph).hexdigest(),
        inputs=(tensor,),
        outputs=(tensor,),
        licence=Licence("MIT", "made for tests"),
        provenance=Provenance("a test"),
    )
    manifest.dump(folder / "manifest.yaml")
    store = ModelStore(tmp_path / "store")
    store.publish(folder, state=State.LIVE)

    with pytest.raises(ConfigError, match="no metadata 'characters'"):
        direct_classifier(store)


def test_serving_runs_a_graph_for_training_as_it_runs_its_own():
    rows = np.ones((2, 3), np.float32)

    assert ServedText().run(scale_graph(), rows).tolist() == (rows * 2).tolist()
