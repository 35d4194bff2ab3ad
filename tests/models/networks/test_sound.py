from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")
pytest.importorskip("onnx", reason="onnx is in the dependency group train only")

from models.manifest import Manifest  # noqa: E402  torch comes first, or not at all
from models.networks.sound import CLASSES, SPEC, Probabilities, SoundNet  # noqa: E402
from models.networks.sound_train import SoundSet, calibration, measured, probabilities, train, write  # noqa: E402
from models.sound_scenes import SoundKind  # noqa: E402
from models.store import MANIFEST_FILE  # noqa: E402

GUNSHOT = CLASSES.index(SoundKind.GUNSHOT)


def test_answers_are_probabilities_and_do_not_change_with_the_level():
    torch.manual_seed(0)
    net = Probabilities(SoundNet()).eval()
    mels = torch.randn(3, 99, SPEC.n_bands)

    with torch.no_grad():
        quiet, loud = net(mels), net(mels + 5)

    assert quiet.shape == (3, len(CLASSES))
    assert quiet.sum(dim=1).tolist() == pytest.approx([1.0] * 3)
    assert torch.allclose(quiet, loud, atol=1e-5)


def test_a_class_is_calibrated_on_its_false_alarms():
    sounds = SoundSet(np.zeros((2_000, 1, 1), np.float32), np.repeat(np.arange(len(CLASSES)), 334)[:2_000])
    scores = np.zeros((2_000, len(CLASSES)), np.float32)
    others = sounds.kinds != GUNSHOT
    scores[others, GUNSHOT] = np.linspace(0, 0.9, int(others.sum()))
    scores[~others, GUNSHOT] = 0.95

    told = calibration(scores, sounds, GUNSHOT)

    assert float((told.apply(scores[others, GUNSHOT]) >= 0.5).mean()) == pytest.approx(0.01, abs=0.002)
    assert float((told.apply(scores[others, GUNSHOT]) >= 0.8).mean()) <= 0.002
    assert float(told.apply(0.95)) > 0.8


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own exporter, of which it says that a newer one is there
def test_a_run_writes_a_manifest_that_loads_and_says_what_it_is(tmp_path: Path):
    sounds = SoundSet.made(8, 1)
    net = train(sounds, n_epochs=1)

    before = probabilities(net, sounds.mels)
    written = write(net, tmp_path, "1", checked=sounds, tested=sounds)

    assert np.array_equal(probabilities(net, sounds.mels), before)  # the exporter leaves no network in training mode

    manifest = Manifest.load(tmp_path / MANIFEST_FILE)
    assert manifest == written
    assert (manifest.task, manifest.labels) == ("audio.classify", {"weapons"})
    assert "example" in (tmp_path / "README.md").read_text().lower()
    assert set(measured(np.zeros((48, len(CLASSES)), np.float32), sounds, manifest.classes)) == set(manifest.metrics)
