from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.data import Part, read_rows  # noqa: E402
from models.errors import DataError  # noqa: E402
from models.networks.checkpoints import HISTORY_FILE  # noqa: E402
from models.networks.text import TextShape  # noqa: E402
from models.networks.text_answers import logits_of, validation_scores  # noqa: E402
from models.train import Plan, Run, load_best  # noqa: E402
from tests.models.text_sets import plain_fold, write_sets  # noqa: E402

PLAN = Plan(n_epochs=4, n_rows=32, patience=9, rate=2e-2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return read_rows(write_sets(tmp_path_factory.mktemp("sets"), 120), plain_fold)


def small(rows, folder, plan: Plan = PLAN) -> Run:
    probe = Run(rows, folder, plan, TextShape(200, 8, 1, 64, 128, 2))
    return Run(rows, folder, plan, TextShape(len(probe.alphabet), 8, 1, 64, 128, 2))


def weights(run: Run):
    return torch.cat([weight.flatten() for weight in (*run.net.parameters(), *run.mean.parameters())])


def test_a_run_learns_what_is_easy_and_keeps_its_best(rows, tmp_path):
    run = small(rows, tmp_path, Plan(n_epochs=12, n_rows=32, patience=12, rate=2e-2))
    told: list[str] = []

    done = run.train(tell=told.append)

    assert done.best > 0.9
    assert len(told) == done.epoch
    trained = load_best(tmp_path)
    valid = [row for row in rows if row.part is Part.VALID]
    again = validation_scores(logits_of(trained.net, valid, trained.alphabet), valid)
    assert sum(again.values()) / len(again) == pytest.approx(done.best)
    assert [line["epoch"] for line in json.loads((tmp_path / HISTORY_FILE).read_text())] == list(range(1, done.epoch + 1))


def test_a_run_that_was_stopped_and_resumed_ends_where_an_unbroken_one_does(rows, tmp_path):
    whole = small(rows, tmp_path / "whole")
    whole.train()
    ticks = iter(range(0, 10_000, 100))
    small(rows, tmp_path / "cut").train(budget_s=450.0, clock=lambda: float(next(ticks)))

    resumed = small(rows, tmp_path / "cut")
    assert resumed.resume()
    assert 0 < resumed.progress.epoch < PLAN.n_epochs
    resumed.train()

    assert resumed.progress.epoch == whole.progress.epoch
    assert torch.equal(weights(resumed), weights(whole))


def test_a_run_ends_when_it_gets_no_better(rows, tmp_path):
    # A rate of nothing leaves the weights, and so the score, as they are.
    run = small(rows, tmp_path, Plan(n_epochs=9, n_rows=32, patience=2, rate=0.0, decay=0.0))

    assert run.train().epoch == 3


def test_there_is_nothing_to_resume_in_an_empty_folder(rows, tmp_path):
    assert not small(rows, tmp_path).resume()


def test_a_checkpoint_of_another_plan_is_refused(rows, tmp_path):
    small(rows, tmp_path, Plan(n_epochs=1, n_rows=32)).train()

    with pytest.raises(DataError, match="made with another plan"):
        small(rows, tmp_path, Plan(n_epochs=2, n_rows=32)).resume()


def test_rows_of_one_side_alone_are_refused(rows, tmp_path):
    with pytest.raises(DataError, match="0 to validate on"):
        Run([row for row in rows if row.part is Part.TRAIN], tmp_path, PLAN)


def test_a_folder_without_a_network_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="train first"):
        load_best(tmp_path)
