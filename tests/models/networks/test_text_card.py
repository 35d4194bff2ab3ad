from __future__ import annotations

import math

import pytest

from models.networks.text_card import FLOOR, calibration_of, manifest_of

FIGURES = [
    {
        "answer": answer,
        "slice": name,
        "auc": 0.9,
        "f1": 0.8,
        "macro_f1": 0.7,
        "accuracy": 0.75,
        "block_precision": None,
        "block_recall": 0.0,
    }
    for answer in ("offensive", "hate")
    for name in ("all", "source cold, its own test split")
]
EVALUATION = {
    "split": "salt",
    "network": {
        "levels": {"offensive": {"review": 0.7, "block": 0.9}, "hate": {"review": 0.8, "block": math.inf}},
        "figures": FIGURES,
        "danmaku": {"lines": 100.0, "blocked": 0.0, "review": 0.01},
    },
}


def test_the_measured_thresholds_lie_on_the_policys():
    calibration = calibration_of({"review": 0.7, "block": 0.9})

    assert calibration.apply([0.0, 0.7, 0.9, 1.0]).tolist() == [0.0, 0.5, 0.85, 1.0]
    assert calibration.apply(0.8) == pytest.approx(0.675)


def test_an_answer_that_never_reached_its_block_threshold_never_blocks():
    calibration = calibration_of({"review": 0.7, "block": math.inf})

    assert calibration.apply(0.7) == 0.5
    assert calibration.apply(1.0) < 0.85


def test_an_answer_that_never_reached_its_review_threshold_is_never_looked_at():
    assert calibration_of({"review": math.inf, "block": math.inf}).apply(1.0) < 0.5


def test_one_threshold_for_both_blocks_at_once():
    calibration = calibration_of({"review": 0.9, "block": 0.9})

    assert calibration.apply(0.9) == pytest.approx(0.85)
    assert calibration.apply(1.0) == 1.0


def test_the_manifest_says_labels_figures_and_sources():
    manifest = manifest_of(EVALUATION, version="3", file="text.onnx", sha256="0" * 64)

    assert manifest.ref == "text-classifier@3"
    assert manifest.labels == {"abuse.insult", "abuse.hate"}
    assert [row.threshold for row in manifest.classes] == [FLOOR, FLOOR]
    assert manifest.metrics["danmaku_review"] == 0.01
    assert manifest.metrics["cold_test_accuracy"] == 0.75
    assert "offensive_block_precision" not in manifest.metrics
    assert all(name in manifest.licence.notice for name in ("COLDataset", "SWSR", "Davidson", "DouyuCrawler"))
