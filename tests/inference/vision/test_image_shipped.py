from __future__ import annotations

import numpy as np
import pytest

from inference.devices import DeviceShare
from inference.sessions import OnnxSession
from inference.verdicts import ModelRef
from inference.vision.eyes import NetworkEye, PlainEye, runner
from inference.vision.gallery_page import WORTH_A_LOOK, TitleLooks, page_of
from models.image_ordinary import ordinary_frames
from models.image_titles import Title
from models.image_views import view
from models.shipped import FOLDER, Shipped

NAME = "image-embedding"
NONE = np.zeros((0, 1), np.float32)


@pytest.fixture(scope="module")
def eye():
    manifest = Shipped().find(NAME)
    assert manifest is not None
    ref = ModelRef(manifest.name, manifest.version, manifest.sha256)
    session = OnnxSession((FOLDER / NAME / manifest.file).read_bytes(), ref=ref, share=DeviceShare.auto("cpu"))
    return NetworkEye(manifest, FOLDER / NAME, runner(session, manifest))


def seen(eye, seed: int, levels):
    """Looks at levels as a stream shows them."""
    rng = np.random.default_rng(seed)
    faces = [Title.of(900).level(0)]
    return np.stack([eye.look(view(Title.of(seed).level(level), rng, faces=faces)) for level in levels])


def test_the_graph_is_small_enough_for_the_repository():
    assert sum(path.stat().st_size for path in (FOLDER / NAME).iterdir()) <= 5_000_000


def test_it_knows_the_ordinary_frames_that_colour_and_texture_knows(eye):
    assert len(eye.ordinary) == len(PlainEye().ordinary)


def test_other_levels_of_a_taught_game_are_found_and_other_games_are_not(eye):
    taught = [200, 203, 207]
    titles = [TitleLooks(np.stack([eye.look(Title.of(seed).level(level)) for level in range(0, 16, 2)]), NONE) for seed in taught]
    page = page_of(titles, eye.ordinary)

    own = [page.likeness(look) for place, seed in enumerate(taught) for look in seen(eye, seed, (1, 5, 9, 13))]
    strange = [page.likeness(look) for seed in range(220, 232) for look in seen(eye, seed, (0,))]

    right = [one is not None and one.place == n // 4 and one.score >= WORTH_A_LOOK for n, one in enumerate(own)]
    assert np.mean(right) >= 0.75
    assert all(one is None or one.score < WORTH_A_LOOK for one in strange)


@pytest.mark.shared
def test_its_ordinary_frames_are_those_that_colour_and_texture_describes(eye, shared_data):
    frames = ordinary_frames(shared_data)
    for row in (0, 40, 90, len(frames) - 1):
        look = eye.look(frames[row])
        cosines = eye.ordinary @ look / np.linalg.norm(eye.ordinary, axis=1) / np.linalg.norm(look)
        assert int(cosines.argmax()) == row
        assert cosines[row] > 0.99
