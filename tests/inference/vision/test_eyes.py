from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.vision.descriptor import N_NUMBERS, describe
from inference.vision.eyes import DESCRIBED_WEIGHT, ORDINARY_FILE, NetworkEye, PlainEye
from models.image_titles import Title
from models.manifest import Licence, Manifest, Preprocess, Provenance, TensorSpec

SIDE, N_OUT = 8, 5
MANIFEST = Manifest(
    name="image-embedding",
    version="test",
    task="image.embed",
    file="image.onnx",
    sha256="a1" * 32,
    inputs=(TensorSpec("image", "float32", (None, 3, SIDE, SIDE), 0),),
    outputs=(TensorSpec("embedding", "float32", (None, N_OUT), 0),),
    licence=Licence("Apache-2.0", "test"),
    provenance=Provenance("test"),
    preprocess=Preprocess(width_px=SIDE, height_px=SIDE, scale=1 / 127.5, mean=(1.0, 1.0, 1.0)),
)


def means(tensor: np.ndarray) -> np.ndarray:
    """Stands in for a network: means of stripes of the picture."""
    assert tensor.shape == (3, SIDE, SIDE)
    return np.asarray([tensor[:, row].mean() for row in range(N_OUT)], np.float32)


def picture(seed: int) -> np.ndarray:
    return Title.of(seed).level(0)


@pytest.fixture
def eye(tmp_path: Path) -> NetworkEye:
    n = len(PlainEye().ordinary)
    np.save(tmp_path / ORDINARY_FILE, np.random.default_rng(1).normal(3.0, 1.0, (n, N_OUT)).astype(np.float16))
    return NetworkEye(MANIFEST, tmp_path, means)


def test_a_look_is_the_network_and_colour_and_texture_each_at_its_weight(eye: NetworkEye) -> None:
    look = eye.look(picture(1))
    assert look.shape == (N_OUT + N_NUMBERS,)
    assert np.linalg.norm(look[:N_OUT]) == pytest.approx(1.0, abs=1e-5)
    assert np.linalg.norm(look[N_OUT:]) == pytest.approx(DESCRIBED_WEIGHT, abs=1e-5)


def test_both_halves_are_centred_by_their_ordinary_frames(eye: NetworkEye, tmp_path: Path) -> None:
    known = np.load(tmp_path / ORDINARY_FILE).astype(np.float32)
    pixels = picture(2)
    look = eye.look(pixels)
    seen = means(eye.prepare(pixels)[:-N_NUMBERS].reshape(3, SIDE, SIDE)) - known.mean(axis=0)
    described = describe(pixels) - PlainEye().ordinary.mean(axis=0)
    np.testing.assert_allclose(look[:N_OUT], seen / np.linalg.norm(seen), atol=1e-5)
    np.testing.assert_allclose(look[N_OUT:], DESCRIBED_WEIGHT * described / np.linalg.norm(described), atol=1e-5)


def test_ordinary_frames_are_known_by_both_halves(eye: NetworkEye) -> None:
    assert eye.ordinary.shape == (len(PlainEye().ordinary), N_OUT + N_NUMBERS)
    assert np.abs(eye.ordinary.mean(axis=0)).max() < 0.2


@pytest.mark.parametrize("n_rows", [0, 3])
def test_a_network_that_knows_no_or_other_ordinary_frames_begins_without_any(tmp_path: Path, n_rows: int) -> None:
    if n_rows:
        np.save(tmp_path / ORDINARY_FILE, np.ones((n_rows, N_OUT), np.float16))
    eye = NetworkEye(MANIFEST, tmp_path, means)
    assert eye.ordinary.shape == (0, N_OUT + N_NUMBERS)
    assert np.isfinite(eye.look(picture(1))).all()


def test_each_eye_says_which_it_is_in_a_name_that_a_file_may_have(eye: NetworkEye) -> None:
    assert eye.model != PlainEye().model
    assert eye.model.replace("-", "").isalnum()


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (720, 1280), (1280, 720)])
def test_a_picture_of_any_shape_is_looked_at(eye: NetworkEye, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 90, np.uint8)
    assert np.isfinite(eye.look(pixels)).all()
