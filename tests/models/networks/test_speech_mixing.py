from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.networks.speech_mixing import DeviceMixer, Mixture, Pool  # noqa: E402
from models.networks.speech_people import Dice, People, curves, drifts, slurred, spoken_by, waves_at  # noqa: E402
from models.networks.speech_rooms import Heard, coded, echoed, masked, music, steady  # noqa: E402
from models.speech_bank import N_BINS, N_SHAPE, split, waves  # noqa: E402
from models.speech_codec import N_MELS, mels_of, power_of  # noqa: E402
from models.speech_mix import Shares  # noqa: E402
from models.speech_sounds import Sounds  # noqa: E402
from models.speech_timing import Shelf  # noqa: E402
from models.speech_voices import Person  # noqa: E402
from models.speech_voices import slurred as slurred_one  # noqa: E402
from models.speech_voices import spoken_by as spoken_by_one  # noqa: E402
from tests.models.speech_sets import READINGS, recordings  # noqa: E402

CPU = torch.device("cpu")
QUIET = Heard(echo=0.0, noise=0.0, colour=0.0, low_pass=0.0, codec=0.0, n_bands=0, hidden=0.0)


@pytest.fixture
def pool() -> Pool:
    pool = Pool(Shelf(READINGS, []), CPU, n_hours=0.02)
    assert pool.add(Sounds.of(recordings()))
    return pool


def dice(seed: int = 1) -> Dice:
    return Dice(CPU, seed)


def test_frames_of_the_pool_are_split_as_those_of_the_bank(pool):
    wave = np.rint(recordings()[0][1].wave * 32767.0).astype(np.float32) / 32768.0
    shapes, details = split(power_of(wave))
    clip = torch.arange(len(shapes)) + int(pool.shelf.starts[0])

    got_shapes, got_details = pool.split(clip)

    assert np.abs(got_shapes.numpy() - shapes).max() < 0.05
    assert np.abs(got_details.numpy() - details).max() < 0.05
    assert np.abs(got_details.numpy() - details).mean() < 0.02


def test_a_pool_that_is_full_takes_no_more(pool):
    hours = pool.hours
    sounds = Sounds.of(recordings() * 12)

    assert not pool.add(sounds)
    assert pool.hours == hours


def test_people_speak_as_the_reference_has_them_speak():
    rng = np.random.default_rng(4)
    shapes, details = rng.normal(0, 1, (30, N_SHAPE)).astype(np.float32), rng.normal(0, 1, (30, N_BINS)).astype(np.float16)
    people = People.anybody(torch.ones(3), dice())
    one = Person(
        people.places[2].numpy(), float(people.pitch[2]), float(people.depth[2]), people.lifter[2].numpy(), people.colour[2].numpy()
    )

    many = spoken_by(people, torch.from_numpy(shapes).expand(3, -1, -1), torch.from_numpy(details).float().expand(3, -1, -1))

    assert np.allclose(many[2].numpy(), spoken_by_one(one, shapes, details), rtol=1e-3)
    assert not np.allclose(many[1].numpy(), many[2].numpy(), rtol=0.5)


def test_who_was_recorded_sounds_as_recorded(pool):
    frames = torch.arange(40)[None] + int(pool.shelf.starts[0])

    power = spoken_by(People.same(1, CPU), *pool.split(frames))

    assert torch.allclose(power.log(), pool.logs(frames), atol=1e-3)


def test_a_moving_pitch_moves_what_is_fine_and_not_the_shape():
    shapes, details = torch.zeros(1, 2, N_SHAPE), torch.zeros(1, 2, N_BINS)
    details[0, :, 100] = 5.0

    power = spoken_by(People.same(1, CPU), shapes, details, torch.tensor([[0.0, float(np.log(1.2))]]))

    assert power[0].argmax(dim=1).tolist() == [100, 120]


def test_waves_are_those_of_the_bank():
    assert np.allclose(waves_at(torch.arange(N_BINS).float()[None])[0].numpy(), waves(np.arange(N_BINS)), atol=1e-4)


def test_slurred_speech_is_that_of_the_reference_within():
    shapes = np.random.default_rng(1).normal(0, 1, (20, N_SHAPE)).astype(np.float16)

    many = slurred(torch.from_numpy(shapes).float().expand(2, -1, -1), torch.tensor([20, 12]), torch.tensor([2, 0]))

    assert np.allclose(many[0, 2:-2].numpy(), slurred_one(shapes, 2)[2:-2], atol=1e-3)
    assert np.allclose(many[1, :12].numpy(), shapes[:12], atol=1e-3)


def test_an_echo_trails_off_as_frame_by_frame():
    power = torch.rand(2, 50, N_BINS)
    seconds, level = torch.tensor([0.2, 0.6]), torch.tensor([0.1, 0.25])

    out = echoed(power, seconds, level)

    decay = np.exp(-13.8 * 0.01 / (0.6 * np.linspace(1.0, 0.6, N_BINS)))
    tail = np.zeros(N_BINS)
    for place in range(50):
        assert np.allclose(out[1, place].numpy(), power[1, place].numpy() + 0.25 * tail, rtol=1e-3)
        tail = decay * (tail + power[1, place].numpy())


@pytest.mark.parametrize("noise", [steady, music])
def test_noise_is_some_in_every_frame(noise):
    power = noise(3, 120, dice())

    assert power.shape == (3, 120, N_BINS)
    assert torch.isfinite(power).all()
    assert (power.sum(dim=2) > 0).all()


def test_a_codec_takes_away_what_is_beside_something_loud():
    power = torch.full((4, 6, N_BINS), 1e-6)
    power[:, :, 100] = 1.0

    out = coded(power, dice())

    assert (out[:, :, 95] < 1e-8).all()
    assert (out[:, :, 100] > 1e-3).all()


def test_masks_hide_some_and_what_hides_nothing_changes_nothing():
    features, there = torch.rand(6, 200, N_MELS) + 1.0, torch.ones(6, 200, dtype=torch.bool)

    hidden = (masked(features, there, dice(), Heard()) != features).float().mean()

    assert 0.02 < hidden < 0.5
    assert torch.equal(masked(features, there, dice(), QUIET), features)


def test_curves_and_drifts_are_smooth():
    curve, drift = curves(5, dice(), spread=1.0), drifts(5, 300, dice(), spread=torch.full((5,), 0.1))

    assert curve.shape == (5, N_BINS)
    assert (curve[:, 200:].diff(dim=1).abs() < 0.1).all()
    assert drift.shape == (5, 300)
    assert (drift.diff(dim=1).abs() < 0.05).all()


def test_a_batch_says_everything_twice_and_differently(pool):
    mixer = DeviceMixer(pool, Mixture(), seed=3)

    batch = mixer.mixed(mixer.timed(4, 160, np.random.default_rng(2)))

    assert batch.features.shape[0] == 8
    assert batch.features.shape[2] == N_MELS
    assert torch.isfinite(batch.features).all()
    for name in ("units", "n_units", "n_answers"):
        first, second = getattr(batch, name).chunk(2)
        assert torch.equal(first, second)
    assert not torch.allclose(*batch.features.chunk(2), atol=1.0)
    for row, n_answers in zip(batch.features, batch.n_answers, strict=True):
        assert row[4 * n_answers :].abs().sum() == 0


def test_nobody_else_in_a_quiet_room_sounds_as_recorded(pool):
    mixer = DeviceMixer(pool, Mixture(shares=Shares(0, 0, 1), heard=QUIET, human=0.0, synthetic=0.0), seed=3)
    timing = mixer.timed(2, 260, np.random.default_rng(2))

    features = mixer.mixed(timing).features[0].numpy()

    spoken = timing.moments[0] >= 0
    wanted = mels_of(pool.logs(torch.from_numpy(timing.sources[0][spoken])).exp().numpy())
    got = features[timing.moments[0][spoken]]
    middle = slice(20, 60)
    apart = (got - wanted)[middle].mean(axis=1)
    assert np.abs(got - wanted - np.median(apart))[middle].mean() < 1.0
