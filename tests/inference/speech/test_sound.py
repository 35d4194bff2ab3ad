from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from inference.errors import ConfigError
from inference.host import Host
from inference.samples import SAMPLE_RATE_HZ, Modality, Pcm
from inference.sessions import Rows
from inference.speech.sound import SoundDetector, SoundModel, SoundSpec, loudest_run
from inference.testing import fake_lane
from models.calibration import Calibration
from models.log_mels import MelSpec, log_mels
from models.manifest import ClassSpec, Licence, Manifest, Provenance, TensorSpec
from tests.inference.samples_maker import clip

PCM = Manifest(
    name="bangs",
    version="1",
    task="audio.classify",
    file="bangs.onnx",
    sha256="0" * 64,
    inputs=(TensorSpec("pcm", "float32", (None, 16_000)),),
    outputs=(TensorSpec("scores", "float32", (None, 2)),),
    licence=Licence("Apache-2.0", "made for tests"),
    provenance=Provenance("written by hand"),
    postprocess={"window_s": 1.0, "every_s": 0.5},
    classes=(ClassSpec(0, "other", None), ClassSpec(1, "bang", "weapons", threshold=0.5)),
)
"""Hears bangs: the largest value of a window is its score."""


def peaks(batch: Rows) -> Rows:
    top = np.abs(batch["pcm"]).max(axis=1)
    return {"scores": np.stack([1 - top, top], axis=1).astype(np.float32)}


@contextmanager
def listening(host: Host, manifest: Manifest = PCM, **changes: object) -> Iterator[SoundDetector]:
    manifest = replace(manifest, **changes)
    with fake_lane(peaks, input_names=("pcm",)) as lane:
        yield SoundDetector([SoundModel(lane, SoundSpec.of(manifest))], host=host)


def banging(seconds: float, bangs: Mapping[float, float]) -> Pcm:
    """Soft noise with bangs: moment in seconds to height."""
    pcm = np.random.default_rng(0).normal(0, 0.01, round(seconds * SAMPLE_RATE_HZ)).astype(np.float32)
    for at_s, height in bangs.items():
        pcm[round(at_s * SAMPLE_RATE_HZ)] = height
    return pcm


async def test_a_sound_is_found_with_its_time_and_its_class(host: Host):
    with listening(host) as detector:
        detection = await detector.detect(clip(banging(4.0, {2.25: 0.8}), start_s=100.0))

    (finding,) = detection.findings
    assert (finding.label, finding.sublabel, finding.detector, finding.modality) == ("weapons", "bang", "sound", Modality.AUDIO)
    assert finding.score == pytest.approx(0.8, abs=1e-3)
    assert finding.heard is not None
    assert (finding.heard.start_s, finding.heard.end_s) == (101.5, 103.0)  # both windows that hold it
    assert finding.pts_s == 101.5
    assert detector.labels == {"weapons"}


async def test_a_sound_below_the_floor_and_a_class_without_label_are_no_finding(host: Host):
    with listening(host) as detector:
        assert (await detector.detect(clip(banging(4.0, {2.25: 0.49})))).findings == ()
        assert (await detector.detect(clip(banging(4.0, {})))).findings == ()


async def test_the_surest_run_of_windows_is_told_once(host: Host):
    with listening(host) as detector:
        (finding,) = (await detector.detect(clip(banging(8.0, {0.6: 0.6, 5.25: 0.9})))).findings

    assert finding.score == pytest.approx(0.9, abs=1e-3)
    assert finding.heard is not None
    assert finding.heard.start_s == 4.5


async def test_the_end_of_a_clip_has_a_window_of_its_own_and_a_short_clip_is_filled_up(host: Host):
    with listening(host) as detector:
        (late,) = (await detector.detect(clip(banging(2.3, {2.29: 0.9})))).findings
        (short,) = (await detector.detect(clip(banging(0.3, {0.1: 0.9})))).findings

    assert late.heard is not None
    assert (late.heard.start_s, late.heard.end_s) == (pytest.approx(1.3), pytest.approx(2.3))
    assert short.heard is not None
    assert (short.heard.start_s, short.heard.end_s) == (0.0, pytest.approx(0.3))  # not beyond the clip


async def test_quiet_windows_and_empty_clips_are_not_asked_about(host: Host):
    with listening(host) as detector:
        for pcm in (np.zeros(0, np.float32), np.zeros(40_000, np.float32), banging(3.0, {}) * np.float32(0.01)):
            assert detector.prepare(clip(pcm)) == ((),)
            assert (await detector.detect(clip(pcm))).findings == ()


async def test_a_long_clip_waits_in_parts_that_leave_room_for_others(host: Host):
    with fake_lane(peaks, input_names=("pcm",), max_queue=32) as lane:
        detector = SoundDetector([SoundModel(lane, SoundSpec.of(PCM))], host=host)
        detection = await detector.detect(clip(banging(60.0, {59.0: 0.9})))

    assert len(detection.findings) == 1


async def test_a_class_is_calibrated_before_its_floor(host: Host):
    half = ClassSpec(1, "bang", "weapons", threshold=0.5, calibration=Calibration.of([[0.0, 0.0], [1.0, 0.5]]))
    with listening(host, classes=(PCM.classes[0], half)) as detector:
        assert (await detector.detect(clip(banging(2.0, {0.5: 0.98})))).findings == ()
        (finding,) = (await detector.detect(clip(banging(2.0, {0.5: 1.0})))).findings

    assert finding.score == 0.5


async def test_several_networks_each_speak_for_themselves(host: Host):
    other = replace(PCM, name="louder", classes=(PCM.classes[0], ClassSpec(1, "crash", "violence.fight", threshold=0.9)))
    with fake_lane(peaks, input_names=("pcm",)) as lane:
        detector = SoundDetector([SoundModel(lane, SoundSpec.of(one)) for one in (PCM, other)], host=host)
        quiet = await detector.detect(clip(banging(2.0, {0.5: 0.7})))
        loud = await detector.detect(clip(banging(2.0, {0.5: 0.95})))

    assert [finding.label for finding in quiet.findings] == ["weapons"]
    assert [finding.label for finding in loud.findings] == ["weapons", "violence.fight"]
    assert detector.labels == {"weapons", "violence.fight"}


def test_a_network_of_features_gets_those_of_its_manifest():
    inputs = (TensorSpec("mels", "float32", (None, 98, 40)),)
    spec = SoundSpec.of(replace(PCM, inputs=inputs, postprocess={**PCM.postprocess, "mel_bands": 40, "mel_high_hz": 7000}))
    pcm = banging(1.0, {0.5: 0.9})

    assert spec.row_shape == (98, 40)
    assert np.array_equal(spec.row(pcm), log_mels(pcm, MelSpec(n_bands=40, high_hz=7000)))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"task": "porn.detect"}, "bangs@1 has the task 'porn.detect'; sound classes need 'audio.classify'"),
        ({"classes": (ClassSpec(0, "a", None),)}, "bangs@1 maps no class to a label"),
        ({"postprocess": {"window_s": 2.0, "every_s": 0.5}}, r"its windows are \[32000\], its input pcm takes \[16000\]"),
        ({"postprocess": {"window_s": 1.0, "every_s": 2.0}}, "need 0 < every_s <= window_s, got 2.0 and 1.0"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused_by_name(changes, complaint):
    with pytest.raises(ConfigError, match=complaint):
        SoundSpec.of(replace(PCM, **changes))


def test_runs_of_windows_are_told_apart_by_gaps():
    spec = SoundSpec.of(PCM)
    scores = [(0.0, 0.6), (0.5, 0.7), (1.0, 0.1), (1.5, 0.6), (3.0, 0.65), (3.5, 0.2)]

    run = loudest_run(scores, 0.5, spec)

    assert run is not None
    assert (run.start_s, run.end_s, run.score) == (0.0, 1.5, 0.7)
    assert loudest_run(scores, 0.8, spec) is None
    assert loudest_run([], 0.5, spec) is None
