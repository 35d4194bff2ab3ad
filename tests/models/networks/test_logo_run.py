from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.errors import DataError  # noqa: E402
from models.logo_cache import SceneCache  # noqa: E402
from models.logo_fonts import Part  # noqa: E402
from models.networks.checkpoints import HISTORY_FILE  # noqa: E402
from models.networks.logo import LogoShape  # noqa: E402
from models.networks.logo_run import DevicePlan, DeviceRun  # noqa: E402
from models.networks.logo_train import load_nets  # noqa: E402
from tests.models.logo_stored import write_scenes  # noqa: E402

SHAPE = LogoShape((4, 4, 8, 8, 8), (4, 4, 8, 8))
PLAN = DevicePlan(n_windows=1, n_pairs=3, n_none=1, n_tells=1, n_others=32, n_scenes=2, n_first=1, told_s=0.0)


class Ticks:
    """A clock that goes on by a step each time it is read."""

    def __init__(self, step_s):
        self.now_s = 0.0
        self._step_s = step_s

    def __call__(self):
        self.now_s += self._step_s
        return self.now_s


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return SceneCache(write_scenes(tmp_path_factory.mktemp("scenes"), "train", 2), Part.TRAIN)


def run_of(folder, cache, **changes):
    plan = DevicePlan(**{name: changes.get(name, getattr(PLAN, name)) for name in PLAN.__slots__})
    return DeviceRun(folder, cache, plan, "cpu", SHAPE)


def test_a_run_ends_with_its_time_and_leaves_networks(cache, tmp_path):
    lines = []

    done = run_of(tmp_path, cache).train(budget_s=100.0, tell=lines.append, clock=Ticks(4.0))

    assert done.n_steps >= 2
    assert done.seconds <= 120.0
    assert json.loads((tmp_path / HISTORY_FILE).read_text())[-1]["step"] == done.n_steps
    assert load_nets(tmp_path).shape == SHAPE
    assert any("steps/s" in line for line in lines)


def test_a_run_goes_on_where_it_stood(cache, tmp_path):
    first = run_of(tmp_path, cache).train(budget_s=100.0, tell=print, clock=Ticks(4.0)).n_steps

    again = run_of(tmp_path, cache)
    assert again.resume()
    assert again.progress.n_steps == first
    again.train(budget_s=100.0, tell=print, clock=Ticks(4.0))

    assert again.progress.n_steps > first


def test_a_checkpoint_of_another_shape_is_refused(cache, tmp_path):
    run_of(tmp_path, cache).keep()

    with pytest.raises(DataError, match="another shape"):
        DeviceRun(tmp_path, cache, PLAN, "cpu", LogoShape((4, 4, 8, 8, 8), (4, 4, 8, 16))).resume()


def test_without_scenes_it_is_said_so(tmp_path):
    with pytest.raises(DataError, match="no scenes"):
        run_of(tmp_path, SceneCache(tmp_path / "none", Part.TRAIN)).train(budget_s=1.0, tell=print, clock=Ticks(0.2))


def test_the_rate_rises_stays_and_falls_to_nothing(cache, tmp_path):
    run = run_of(tmp_path, cache)
    rates = []

    for done in (0.0, 0.1, 0.4, 0.7, 1.0):
        run._set_rate(done)
        rates.append(run._optimizer.param_groups[0]["lr"])

    assert rates[0] < rates[1] == rates[2] > rates[3] > rates[4] == 0.0


def test_training_makes_both_networks_better(cache, tmp_path):
    run = run_of(tmp_path, cache, rate=4e-3, n_windows=2, n_pairs=6, n_tells=2)

    run.train(budget_s=360.0, tell=print, clock=Ticks(3.0))

    history = run.progress.history
    half = len(history) // 2
    for name in ("finder", "teller"):
        assert sum(row[name] for row in history[half:]) / (len(history) - half) < sum(row[name] for row in history[:half]) / half
