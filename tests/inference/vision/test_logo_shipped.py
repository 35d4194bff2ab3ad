from __future__ import annotations

import numpy as np
import pytest

from inference.devices import DeviceShare
from inference.sessions import OnnxSession
from inference.verdicts import ModelRef
from models.logo_boxes import overlaps
from models.logo_codec import N_FRAMES, planes_of, resized
from models.logo_matching import MarkIndex, matches_of, see
from models.logo_prototypes import prototypes_of
from models.logo_renderings import lay, overlay_of, scaled
from models.shipped import FOLDER, Shipped


class Graphs:
    """The shipped graphs by the runtime that serves."""

    def __init__(self) -> None:
        self._sessions = {name: self._open(name) for name in ("logo-finder", "logo-teller")}
        self.strangers = np.load(FOLDER / "logo-teller" / "strangers.npy").astype(np.float32)

    @staticmethod
    def _open(name: str) -> OnnxSession:
        manifest = Shipped().find(name)
        assert manifest is not None
        ref = ModelRef(manifest.name, manifest.version, manifest.sha256)
        return OnnxSession((FOLDER / name / manifest.file).read_bytes(), ref=ref, share=DeviceShare.auto("cpu"))

    def find(self, planes):
        return self._run("logo-finder", planes)

    def tell(self, crops):
        return self._run("logo-teller", crops)

    def _run(self, name: str, given):
        session = self._sessions[name]
        return session.run({session.input_names[0]: given})[session.output_names[0]]


@pytest.fixture(scope="module")
def graphs():
    return Graphs()


def badge(*, ring: bool) -> np.ndarray:
    """A coloured plate with a ring and a bar, or with three bars."""
    y, x = np.mgrid[0:80, 0:160]
    rgba = np.zeros((80, 160, 4), np.uint8)
    rgba[:, :] = (200, 30, 60, 255) if ring else (20, 90, 200, 255)
    far = np.hypot(x - 40, y - 40)
    ink = ((far > 16) & (far < 28)) | ((x > 80) & (x < 145) & (abs(y - 40) < 8)) if ring else (x % 50 > 25) & (y > 15) & (y < 65)
    rgba[ink] = (255, 255, 255, 255)
    return rgba


def look(mark: np.ndarray | None, *, left: int = 1040, top: int = 60, width: int = 160, height: int = 80):
    """Frames of soft scenery that moves, with a mark that does not."""
    random = np.random.default_rng(4)
    scenery = resized(random.uniform(40, 190, (24, 40)), 1600, 960)
    frames = []
    for at in range(N_FRAMES):
        frame = np.full((1080, 1280), 128, np.uint8)
        frame[:720] = scenery[30 * at : 30 * at + 720, 40 * at : 40 * at + 1280]
        if mark is not None:
            lay(frame, overlay_of(scaled(mark, width, height), opacity=0.85), left, top)
        frames.append(frame)
    return planes_of(frames)


def test_an_enrolled_mark_on_a_moving_scene_is_found_where_it_is(graphs):
    index = MarkIndex({name: prototypes_of(badge(ring=name == "ring"), graphs.tell) for name in ("ring", "bars")}, graphs.strangers)

    found = max(matches_of(see(look(badge(ring=True)), graphs.find, graphs.tell), index), key=lambda match: match.score)

    assert found.mark == "ring"
    assert found.score > 0.6
    assert overlaps(np.array([found.box], np.float32), np.array([[1040, 60, 1200, 140]], np.float32))[0, 0] > 0.5


def test_a_strange_mark_and_an_empty_scene_score_lower_than_the_enrolled_one(graphs):
    index = MarkIndex({"ring": prototypes_of(badge(ring=True), graphs.tell)}, graphs.strangers)

    def best(mark) -> float:
        return max((match.score for match in matches_of(see(look(mark), graphs.find, graphs.tell), index)), default=0.0)

    own, strange, empty = best(badge(ring=True)), best(badge(ring=False)), best(None)

    assert own > strange + 0.2
    assert own > empty + 0.2


def test_the_shipped_graphs_and_their_strangers_stay_small(graphs):
    total = sum(path.stat().st_size for name in ("logo-finder", "logo-teller") for path in (FOLDER / name).iterdir())

    assert total < 10_000_000
    assert np.linalg.norm(graphs.strangers, axis=1) == pytest.approx(np.ones(len(graphs.strangers)), abs=1e-2)
