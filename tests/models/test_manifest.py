from __future__ import annotations

import re
from dataclasses import replace

import pytest

from models.errors import ManifestError, UnknownLabel
from models.manifest import Manifest, TensorSpec
from models.zoo import Zoo
from tests.models.conftest import tiny_manifest


def test_a_written_manifest_reads_back_equal(tmp_path):
    tiny_manifest().dump(tmp_path / "m.yaml")

    assert Manifest.load(tmp_path / "m.yaml") == tiny_manifest()


@pytest.mark.parametrize("name", list(Zoo.load().entries))
def test_every_shipped_manifest_reads_back_equal(tmp_path, name):
    manifest = Zoo.load()[name].manifest
    manifest.dump(tmp_path / "m.yaml")

    assert Manifest.load(tmp_path / "m.yaml") == manifest


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sha256: ", "sha256: x", "64 lower-case hex digits"),
        ("task: test.classify\n", "", "task is missing"),
        ("postprocess:", "postproces:", "unknown field 'postproces'; did you mean 'postprocess'"),
        ("colour: rgb", "colour: pink", "colour must be one of rgb, bgr"),
        ("index: 1", "index: 3", "in order from 0"),
        ("name: COVERED", "name: BARE", "there twice"),
        ("threshold: 0.3", "threshold: 3", "within 0..1"),
        ("file: tiny.onnx", "file: ../tiny.onnx", "not a bare file name"),
        ("name: tiny\n", "name: Tiny Model\n", "lower-case"),
        ("- 8\n", "- 3\n", "rising"),
        ("batch_axis: 0", "batch_axis: 7", "outside its 2 axes"),
        ("spdx: MIT", "spdx: [MIT]", "spdx must be text"),
        ("iou_threshold: 0.45", "iou_threshold: often", "must be a number"),
    ],
)
def test_a_bad_field_is_refused_by_its_name(tmp_path, old, new, message):
    path = tmp_path / "m.yaml"
    tiny_manifest().dump(path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ManifestError, match=re.escape(message)):
        Manifest.load(path)


def test_a_class_mapped_to_an_unknown_label_is_refused(tmp_path):
    path = tmp_path / "m.yaml"
    tiny_manifest().dump(path)
    path.write_text(path.read_text(encoding="utf-8").replace("porn.nudity", "porn.nudty"), encoding="utf-8")

    with pytest.raises(UnknownLabel, match=r"classes: unknown label 'porn.nudty'; nearest: porn.nudity"):
        Manifest.load(path)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", ""])
def test_what_is_no_manifest_is_refused(tmp_path, text):
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ManifestError, match=r"m\.yaml"):
        Manifest.load(tmp_path / "m.yaml")


def test_a_missing_manifest_is_refused_by_its_path(tmp_path):
    with pytest.raises(ManifestError, match=r"cannot read manifest .*none\.yaml"):
        Manifest.load(tmp_path / "none.yaml")


def test_numbers_are_read_by_name():
    assert tiny_manifest().number("iou_threshold") == 0.45
    with pytest.raises(ManifestError, match="known: iou_threshold"):
        tiny_manifest().number("unclip_ratio")


def test_a_scalar_input_belongs_to_the_whole_batch():
    assert TensorSpec("sr", "int64", (), None).batch_axis is None
    with pytest.raises(ManifestError):
        TensorSpec("sr", "int64", (), 0)


def test_a_licence_text_must_be_pinned():
    with pytest.raises(ManifestError, match="not among extra_files"):
        replace(tiny_manifest(), extra_files={})


def test_nudenet_reports_exposed_parts_only_from_raw_0_25():
    manifest = Zoo.load()["nudenet-320n"].manifest

    mapped = {row.name: row.label for row in manifest.classes if row.label}
    assert mapped == {
        "FEMALE_GENITALIA_EXPOSED": "porn.explicit",
        "MALE_GENITALIA_EXPOSED": "porn.explicit",
        "ANUS_EXPOSED": "porn.explicit",
        "FEMALE_BREAST_EXPOSED": "porn.nudity",
        "BUTTOCKS_EXPOSED": "porn.nudity",
    }
    assert len(manifest.classes) == 18
    assert all(row.raw_threshold == pytest.approx(0.25) for row in manifest.classes if row.label)
