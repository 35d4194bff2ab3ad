from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.errors import DataError, TrainingUnavailable  # noqa: E402
from models.networks.speech import Block, SpeechShape  # noqa: E402
from models.networks.speech_commands import HeldOut  # noqa: E402
from models.networks.speech_device import DevicePlan, DeviceRun, apart, ctc, rate_at  # noqa: E402
from models.networks.speech_device_commands import Work, device_of, train_on  # noqa: E402
from models.networks.speech_makers import Makers, MakersPlan  # noqa: E402
from models.networks.speech_mixing import DeviceMixer, MixedBatch, Mixture, Pool  # noqa: E402
from models.networks.speech_train import load_best_speech  # noqa: E402
from models.speech_bank import Kind  # noqa: E402
from models.speech_codec import UNITS  # noqa: E402
from models.speech_sounds import Sounds  # noqa: E402
from models.speech_timing import Shelf  # noqa: E402
from tests.models.speech_sets import READINGS, recordings  # noqa: E402

CPU = torch.device("cpu")
SMALL = SpeechShape(width=16, n_blocks=2, kernel=5, n_maps=4, dropout=0.0)
PLAN = DevicePlan(budget_s=100.0, n_sound=480, n_frames=(80, 120, 160), tell_s=20.0, judge_s=40.0, rate=0.02)


def held_out() -> HeldOut:
    return HeldOut.of({"words": [one for kind, one in recordings() if kind is Kind.WORDS]})


def new_run(folder, plan: DevicePlan = PLAN) -> DeviceRun:
    pool = Pool(Shelf(READINGS, []), CPU, n_hours=0.02)
    pool.add(Sounds.of(recordings()))
    return DeviceRun(DeviceMixer(pool, Mixture(), seed=1), held_out(), folder, plan, SMALL)


def ticking(step_s: float):
    now_s = iter(np.arange(0.0, 1e6, step_s))
    return lambda: float(next(now_s))


def test_a_run_ends_with_its_budget_and_its_best_network_is_read_as_any(tmp_path):
    lines: list[str] = []
    calls: list[int] = []
    run = new_run(tmp_path)

    progress = run.train(meanwhile=lambda: calls.append(1), tell=lines.append, clock=ticking(4.0))

    assert 5 < run.n_steps < 20
    assert len(calls) >= 2
    assert json.loads((tmp_path / "history.json").read_text())[-1]["seconds"] >= 100.0
    best = load_best_speech(tmp_path)
    assert best.epoch == progress.best_epoch
    assert best.net.shape == SMALL
    assert any("s of sound a second" in line for line in lines)


def test_learning_lowers_the_loss(tmp_path):
    run = new_run(tmp_path)
    run.net.train()

    losses = [float(run.step(run._mixer.mixed(timing), 0.3)) for timing, _ in zip(run._timings(), range(40), strict=False)]

    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:8])


def test_a_loss_that_is_no_number_costs_the_steps_since_the_best_only(tmp_path):
    run = new_run(tmp_path)
    run.judged(0.0)
    with torch.no_grad():
        run.net.answer.weight.fill_(float("nan"))

    run.train(tell=lambda _line: None, clock=ticking(4.0))

    assert all(torch.isfinite(one).all() for one in run.net.parameters())


def test_the_rate_rises_stays_and_falls():
    assert rate_at(0.0) < 0.01
    assert rate_at(0.1) == rate_at(0.39) == 1.0
    assert rate_at(0.7) == pytest.approx(0.5)
    assert 0.0 < rate_at(1.0) < 0.01


def batch_of(n_answers: list[int], units: list[list[int]]) -> MixedBatch:
    features = torch.zeros(len(units), 4 * max(n_answers), 48)
    return MixedBatch(
        features, torch.tensor(n_answers), torch.tensor(units), torch.tensor([sum(u > 0 for u in us) for us in units])
    )


def test_answers_that_agree_are_not_apart_and_what_is_behind_does_not_count():
    same = torch.randn(1, 6, len(UNITS)).log_softmax(dim=2).repeat(2, 1, 1)
    other = same.clone()
    other[1, 4:] = torch.randn(2, len(UNITS)).log_softmax(dim=1)
    batch = batch_of([4, 4], [[3, 5], [3, 5]])

    assert float(apart(same, batch)) == pytest.approx(0.0, abs=1e-6)
    assert float(apart(other, batch)) == pytest.approx(0.0, abs=1e-6)
    assert float(apart(other, batch_of([6, 6], [[3, 5], [3, 5]]))) > 0.1


def test_an_utterance_without_units_counts_for_nothing():
    log_probs = torch.randn(2, 6, len(UNITS)).log_softmax(dim=2)

    both, alone = ctc(log_probs, batch_of([6, 6], [[3, 5], [0, 0]])), ctc(log_probs[:1], batch_of([6], [[3, 5]]))

    assert float(both) == pytest.approx(float(alone))


def test_convolutions_by_shifts_answer_the_same():
    torch.manual_seed(1)
    block, x = Block(SMALL).eval(), torch.randn(3, 20, 16)
    mask = torch.ones(3, 20, 1)
    as_ever = block(x, mask, mask)

    block.by_shifts = True

    assert torch.allclose(block(x, mask, mask), as_ever, atol=1e-5)


def test_clips_that_pass_a_block_by_come_out_as_they_went_in():
    torch.manual_seed(1)
    block, x = Block(SMALL).train(), torch.randn(40, 6, 16)
    block.skipped = 0.5

    out = block(x, torch.ones(40, 6, 1), torch.ones(40, 6, 1))

    assert 8 < (out == x).all(dim=(1, 2)).sum() < 32


def test_what_is_measured_on_travels(tmp_path):
    net = new_run(tmp_path).mean
    judge = held_out()

    judge.store(tmp_path / "held.npz")

    assert HeldOut.stored(tmp_path / "held.npz")(net) == judge(net)
    with pytest.raises(DataError, match="gone"):
        HeldOut.stored(tmp_path / "gone.npz")


def test_makers_hand_in_what_they_wrote_and_a_broken_part_is_left_out(tmp_path):
    pool = Pool(Shelf(READINGS, []), CPU, n_hours=0.02)
    with Makers(tmp_path, tmp_path / "made", MakersPlan(n_makers=0, seconds=1.0)) as makers:
        Sounds.of(recordings()).write(tmp_path / "made" / "1-0.npz")
        (tmp_path / "made" / "1-1.npz").write_bytes(b"broken")

        makers.take(pool)

        assert pool.hours > 0.0
        assert makers.n_working == 0
        assert not list((tmp_path / "made").glob("*.npz"))


def test_a_run_whose_makers_die_trains_on_people(tmp_path):
    for name in ("words", "syllables_a", "syllables_b"):
        folder = tmp_path / "data" / "speech" / "words_zh"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.csv").write_text("file,start_s,end_s,text,phones\nx.opus,0,1,你好,n i h ao\n", encoding="utf-8")
    (tmp_path / "run" / "made" / "espeak-0" / "espeak-ng-data" / "voices" / "!v").mkdir(parents=True)
    plan = DevicePlan(budget_s=3.0, n_sound=800, n_frames=(80, 120, 160), tell_s=1.0, judge_s=1.0)
    work = Work(CPU, plan, n_makers=1, make_s=1.0, wait_s=0.1, n_hours=0.02, shape=SMALL)

    progress = train_on(Sounds.of(recordings()), held_out(), tmp_path / "data", tmp_path / "run", work, lambda _line: None)

    assert progress.history
    assert load_best_speech(tmp_path / "run").net.shape == SMALL


def test_a_device_that_is_not_there_is_named():
    assert device_of("cpu") == CPU
    with pytest.raises(TrainingUnavailable, match="no device 'nonsense'"):
        device_of("nonsense")
