from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.networks.speech import SpeechNet, SpeechShape  # noqa: E402
from models.speech_codec import N_MELS, UNITS  # noqa: E402

SMALL = SpeechShape(width=16, n_blocks=4, kernel=5, n_maps=4)


@pytest.fixture
def net():
    torch.manual_seed(1)
    return SpeechNet(SMALL).eval()


def sound(n_clips: int, n_frames: int, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(8, 25, (n_clips, n_frames, N_MELS)).astype(np.float32))


def log_probs(net, features: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return net(features).log_probs.numpy()


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 5, 99, 100, 101])
def test_four_frames_give_one_answer_of_probabilities(net, n_frames):
    answer = log_probs(net, sound(2, n_frames))

    assert answer.shape == (2, -(-n_frames // 4), len(UNITS))
    assert np.exp(answer).sum(axis=2) == pytest.approx(np.ones(answer.shape[:2]), abs=1e-5)


def test_a_clip_answers_alone_as_in_a_batch(net):
    features = sound(3, 120)

    assert log_probs(net, features)[1] == pytest.approx(log_probs(net, features[1:2])[0], abs=1e-4)


def test_silence_behind_a_clip_changes_nothing_before_it(net):
    features = sound(1, 101)
    padded = torch.cat([features, torch.zeros(1, 203, N_MELS)], dim=1)

    assert log_probs(net, padded)[0, :26] == pytest.approx(log_probs(net, features)[0], abs=1e-4)


def test_the_level_of_a_clip_does_not_matter(net):
    features = sound(1, 80)

    assert log_probs(net, features - 4.0) == pytest.approx(log_probs(net, features), abs=1e-3)


def test_the_colour_of_a_clip_does_not_matter_much(net):
    features = sound(1, 80)
    colour = torch.linspace(-2.0, 2.0, N_MELS)

    assert log_probs(net, features + colour) == pytest.approx(log_probs(net, features), abs=0.2)


def test_silence_alone_is_answered(net):
    assert np.isfinite(log_probs(net, torch.zeros(1, 40, N_MELS))).all()


def test_every_weight_learns():
    torch.manual_seed(1)
    net = SpeechNet(SMALL)
    answer = net(sound(2, 80))

    (answer.log_probs[:, :, 1].mean() + answer.halfway[:, :, 2].mean()).backward()

    assert [name for name, one in net.named_parameters() if one.grad is None or not one.grad.abs().sum()] == []


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="kernel must be odd, got 8"):
        SpeechShape(kernel=8)
