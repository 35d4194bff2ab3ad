from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")
ort = pytest.importorskip("onnxruntime")

from models.errors import DataError  # noqa: E402
from models.manifest import Manifest  # noqa: E402
from models.networks.checkpoints import HISTORY_FILE  # noqa: E402
from models.networks.logo import LogoNets, LogoShape  # noqa: E402
from models.networks.logo_evaluate import Instance, Judged, evaluate_run, recall_figures  # noqa: E402
from models.networks.logo_export import compare_logo, export_logo  # noqa: E402
from models.networks.logo_graphs import finder_graph, teller_graph  # noqa: E402
from models.networks.logo_train import LogoPlan, LogoRun, load_nets  # noqa: E402
from tests.models.logo_stored import write_scenes  # noqa: E402

SHAPE = LogoShape((4, 4, 8, 8, 8), (4, 4, 8, 8))
PLAN = LogoPlan(n_rounds=2, n_steps=1, n_windows=1, n_pairs=3, n_none=1, n_groups=2, n_renewed=0)


class Served:
    """ONNX Runtime on one thread, as the serving side lends it."""

    def run(self, graph, ids):
        session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: ids})[0]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = write_scenes(tmp_path_factory.mktemp("scenes"), "train", 2)
    return write_scenes(folder, "test", 2)


def test_a_run_that_was_stopped_goes_on_after_its_last_round(scenes, tmp_path):
    ticks = iter(range(0, 10_000, 100))
    LogoRun(tmp_path, scenes, PLAN, SHAPE).train(budget_s=250.0, clock=lambda: float(next(ticks)))
    assert len(json.loads((tmp_path / HISTORY_FILE).read_text())) == 1

    resumed = LogoRun(tmp_path, scenes, PLAN, SHAPE)
    assert resumed.resume()
    done = resumed.train()

    assert done.done == 2
    assert [row["round"] for row in json.loads((tmp_path / HISTORY_FILE).read_text())] == [1, 2]


def test_a_checkpoint_of_another_plan_is_refused_but_more_rounds_are_not(scenes, tmp_path):
    LogoRun(tmp_path, scenes, LogoPlan(**{**vars_of(PLAN), "n_rounds": 1}), SHAPE).train()

    assert LogoRun(tmp_path, scenes, PLAN, SHAPE).resume()
    with pytest.raises(DataError, match="another plan"):
        LogoRun(tmp_path, scenes, LogoPlan(**{**vars_of(PLAN), "rate": 1.0}), SHAPE).resume()


def vars_of(plan):
    return {name: getattr(plan, name) for name in plan.__slots__}


def test_without_scenes_or_a_checkpoint_it_is_said_so(scenes, tmp_path):
    with pytest.raises(DataError, match="make some first"):
        LogoRun(tmp_path, tmp_path / "none", PLAN, SHAPE).train()
    with pytest.raises(DataError, match="train first"):
        load_nets(tmp_path)


def test_training_makes_the_teller_more_sure_of_what_belongs_together(scenes, tmp_path):
    run = LogoRun(tmp_path, scenes, LogoPlan(**{**vars_of(PLAN), "n_rounds": 3, "n_steps": 6, "n_windows": 1, "rate": 4e-3}), SHAPE)

    run.train()

    losses = [row["teller"] for row in run.progress.history]
    assert losses[-1] < losses[0]


def test_the_graphs_answer_as_the_networks_do():
    torch.manual_seed(1)
    net = LogoNets(SHAPE)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    net.eval()

    assert compare_logo(finder_graph(net.finder), teller_graph(net.teller), net, Served()) < 1e-3
    other = LogoNets(SHAPE).eval()
    with pytest.raises(DataError, match="otherwise than torch"):
        compare_logo(finder_graph(net.finder), teller_graph(other.teller), net, Served())


def test_a_trained_run_is_evaluated_and_exported(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr("models.networks.logo_evaluate.ENROLLED", (2, 200))
    monkeypatch.setattr("models.networks.logo_evaluate.draw_mark", lambda seed: _drawn(seed))
    monkeypatch.setattr("models.networks.logo_evaluate.N_OTHERS_MOST", 1)
    monkeypatch.setattr("models.logo_strangers.draw_mark", lambda seed: _drawn(seed))
    monkeypatch.setattr("models.networks.logo_evaluate.N_MADE_UP", 2)
    monkeypatch.setattr("models.networks.logo_evaluate.N_SCENERY", 0)
    LogoRun(tmp_path, scenes, PLAN, SHAPE).train()

    found = evaluate_run(tmp_path, scenes)
    done = export_logo(tmp_path, tmp_path / "shipped", version="1", serving=Served())

    assert found["n_looks"] == 2
    assert done.ref == "logo-finder@1 and logo-teller@1"
    for name in ("logo-finder", "logo-teller"):
        manifest = Manifest.load(tmp_path / "shipped" / name / "manifest.yaml")
        assert (tmp_path / "shipped" / name / manifest.file).stat().st_size > 1000
    assert "difference from torch" in done.parity
    strangers = np.load(tmp_path / "shipped" / "logo-teller" / "strangers.npy")
    assert strangers.shape == (2, 128)
    assert np.linalg.norm(strangers.astype(np.float32), axis=1) == pytest.approx([1.0, 1.0], abs=1e-2)


def _drawn(seed):
    from models.logo_marks import Kind, Mark
    from tests.models.logo_stored import pattern

    return Mark(seed, Kind.ICON, pattern(seed))


def judged(score: float, *, right: bool = True, easy: bool = True):
    instance = Instance(1, 0.1 if easy else 0.05, 0.9)
    return Judged(score, right, instance if right else None, 0.8 if right else 0.0)


def test_recall_counts_what_lies_above_the_lowest_precise_score():
    wanted = [Instance(n, 0.1, 0.9) for n in range(40)] + [Instance(n, 0.05, 0.9) for n in range(20)]
    rows = [judged(0.9)] * 20 + [judged(0.8, easy=False)] * 10 + [judged(0.7, right=False)] * 5 + [judged(0.6)] * 20

    figures = recall_figures(rows, wanted, precision=0.97)

    assert figures["threshold"] == pytest.approx(0.8)
    assert figures["recall_easy"] == pytest.approx(0.5)
    assert figures["recall_hard"] == pytest.approx(0.5)
    assert figures["recall"] == pytest.approx(0.5)


def test_no_finding_precise_enough_is_no_recall():
    figures = recall_figures([judged(0.9, right=False)] * 3, [Instance(1, 0.1, 0.9)])

    assert figures["recall"] == 0.0
    assert np.isfinite(figures["threshold"])
