from __future__ import annotations

import csv
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")
pytest.importorskip("sklearn", reason="scikit-learn is in the dependency group train only")
onnx = pytest.importorskip("onnx", reason="onnx is in the dependency group train only")

from models import evaluate as evaluation  # noqa: E402
from models.data import Part, Row, Source, read_rows  # noqa: E402
from models.errors import DataError  # noqa: E402
from models.evaluate import FLAGGED_FILE, Levels, danmaku_shares, evaluate, levels_of, read_evaluation, write_flagged  # noqa: E402
from models.networks.text import TextShape  # noqa: E402
from models.networks.text_card import table  # noqa: E402
from models.train import Plan, Run  # noqa: E402
from tests.models.text_sets import plain_fold, write_sets  # noqa: E402


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return read_rows(write_sets(tmp_path_factory.mktemp("sets"), 200), plain_fold)


@pytest.fixture(scope="module")
def run(rows, tmp_path_factory):
    """Folder of a small run that learnt its easy lesson."""
    folder = tmp_path_factory.mktemp("run")
    plan = Plan(n_epochs=10, n_rows=32, patience=10, rate=2e-2)
    probe = Run(rows, folder, plan, TextShape(300, 8, 1, 64, 128, 2))
    Run(rows, folder, plan, TextShape(len(probe.alphabet), 8, 1, 64, 128, 2)).train()
    return folder


@pytest.fixture(scope="module")
def found(rows, run):
    return evaluate(run, rows)


def danmaku(text: str, n_seen: int = 1, part: Part = Part.TEST) -> Row:
    return Row(text, Source.DANMAKU, part, (0.0, 0.0), n_seen=n_seen)


def test_network_and_baseline_are_measured_on_the_same_rows(found):
    sizes = [
        [(row["answer"], row["slice"], row["n"], row["ones"]) for row in found[name]["figures"]] for name in ("network", "baseline")
    ]

    assert sizes[0] == sizes[1]
    assert {answer for answer, *_ in sizes[0]} == {"offensive", "hate"}
    assert {name.split()[0] for _, name, *_ in sizes[0]} == {"all", "language", "length", "source"}


def test_what_is_easy_is_measured_as_easy(found):
    for name in ("network", "baseline"):
        [row] = [
            row
            for row in found[name]["figures"]
            if (row["answer"], row["slice"]) == ("offensive", "source cold, machine-aided labels")
        ]
        assert row["auc"] > 0.95
        assert row["macro_f1"] > 0.9


def test_the_evaluation_is_written_and_read_again(found, run):
    assert read_evaluation(run) == json.loads(json.dumps(found))


def test_the_table_has_a_line_for_each_contender(found):
    lines = table(found).splitlines()

    assert sum("| network |" in line for line in lines) == sum("| baseline |" in line for line in lines) > 0
    assert sum("lines of ordinary danmaku" in line for line in lines) == 2


def test_an_evaluation_that_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="evaluate text"):
        read_evaluation(tmp_path)


def test_thresholds_let_no_more_danmaku_through_than_they_may():
    talk = [danmaku(str(number), part=Part.VALID) for number in range(10_000)]
    labelled = [Row(f"x{number}", Source.COLD, Part.VALID, (1.0, 1.0)) for number in range(100)]
    raw = np.concatenate([np.linspace(0.0, 0.9, 10_000), np.linspace(0.0, 1.0, 100)])[:, None]

    level = levels_of(raw[:, 0], [*talk, *labelled], 0)

    assert (raw[:10_000, 0] >= level.review).sum() == pytest.approx(10_000 * evaluation.DANMAKU_REVIEW, abs=1)
    assert (raw[:10_000, 0] >= level.block).sum() == pytest.approx(10_000 * evaluation.DANMAKU_BLOCK, abs=1)


def test_thresholds_rise_until_labelled_rows_are_right_often_enough():
    labelled = [Row(f"x{number}", Source.COLD, Part.VALID, (float(number >= 500), None)) for number in range(1000)]
    raw = np.linspace(0.0, 1.0, 1000)

    level = levels_of(raw, labelled, 0)

    assert level.review == 0.0
    assert level.block == pytest.approx(1.0 - 0.5 / evaluation.BLOCK_PRECISION, abs=0.005)


def test_danmaku_are_counted_by_line_and_by_their_worst_answer():
    rows = [danmaku("a", 6), danmaku("b", 3), danmaku("c"), Row("d", Source.COLD, Part.TEST, (1.0, 1.0))]
    raw = np.array([[0.1, 0.1], [0.6, 0.95], [0.6, 0.1], [1.0, 1.0]])

    shares = danmaku_shares(raw, rows, [Levels(0.5, 0.9), Levels(0.5, 0.9)])

    assert shares == {"lines": 10.0, "blocked": 0.3, "review": 0.1}


def test_flagged_danmaku_are_written_worst_first(tmp_path):
    rows = [danmaku("ok"), danmaku("half", 2), danmaku("full"), Row("d", Source.COLD, Part.TEST, (1.0, 1.0))]
    raw = np.array([[0.1, 0.1], [0.6, 0.1], [0.95, 0.1], [1.0, 1.0]])

    write_flagged(tmp_path / FLAGGED_FILE, raw, rows, [Levels(0.5, 0.9), Levels(0.5, 0.9)])

    with (tmp_path / FLAGGED_FILE).open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    assert [(line["text"], line["decision"], line["times"]) for line in lines] == [("full", "block", "1"), ("half", "review", "2")]


class Broken:
    """A runtime that answers nothing but zero."""

    def fold(self, text: str) -> str:
        return text

    def run(self, graph, ids):
        return np.zeros((len(ids), 2), np.float32)


def test_the_exported_graph_answers_as_torch_does_and_is_publishable(found, run, tmp_path):
    from inference.text.served import ServedText
    from models.export import TOLERANCE, export
    from models.store import ModelStore

    done = export(run, tmp_path / "model", version="9", serving=ServedText())

    assert done.parity.largest <= TOLERANCE
    assert done.parity.n_texts == 16 + 32 + 64 + 128
    store = ModelStore(tmp_path / "store")
    assert store.publish(tmp_path / "model") == done.ref == "text-classifier@9"
    manifest = store.show(done.ref).manifest
    assert manifest.labels == {"abuse.insult", "abuse.hate"}
    assert manifest.metrics["offensive_auc"] == found["network"]["figures"][0]["auc"]


def test_a_graph_that_answers_otherwise_is_refused_and_not_written(found, run, tmp_path):
    from models.export import export

    with pytest.raises(DataError, match="otherwise than torch"):
        export(run, tmp_path / "model", version="9", serving=Broken())

    assert not (tmp_path / "model").exists()


def test_the_exported_alphabet_is_the_trained_one(run):
    from models.export import graph_bytes
    from models.train import load_best

    trained = load_best(run)
    model = onnx.load_from_string(graph_bytes(trained.net, trained.alphabet, [1.0, 1.0]))

    assert {pair.key: pair.value for pair in model.metadata_props} == {"characters": trained.alphabet.characters}
