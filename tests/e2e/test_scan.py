"""`livewarden scan --json` on files nobody has seen: what is said, when, where and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from streams import demo_scenes
from tests.media import Clip, encode_to, garbage

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]

ADVERT_S, CODE_S = 6.0, 12.0
CLIP = Clip(seconds=20.0, size=demo_scenes.SIZE, fps=demo_scenes.FPS, gop=2 * demo_scenes.FPS)


@pytest.fixture(scope="module")
def scan(tmp_path_factory, model_folder):
    """Run the command as a shell would; returns the finished process."""
    folder = tmp_path_factory.mktemp("scan")
    config = folder / "livewarden.yaml"
    config.write_text(json.dumps({"data_dir": str(folder / "data"), "models": {"dir": str(model_folder)}}))

    def run(*sources):
        command = [sys.executable, "-m", "streams.start", "scan", "--json", "-c", str(config), *map(str, sources)]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False)

    return run


def test_a_painted_advert_and_a_code_are_found_when_they_appear(scan, tmp_path):
    game = demo_scenes.Game(seed=60321)
    advert = demo_scenes.advert("advert_wechat.png", x=700, y=420)
    code = demo_scenes.qr_code("https://unseen.example/room/4711", side_px=180, x=120, y=90)

    def draw(index):
        frame = game.frame(index, advert if index >= ADVERT_S * CLIP.fps else None)
        if index >= CODE_S * CLIP.fps:
            code.over(frame)
        return frame

    done = scan(encode_to(tmp_path / "unseen.mp4", CLIP, draw=draw))
    assert done.returncode == 1, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["kind"] for one in events} <= {"opened", "updated", "closed"}
    opened = {one["label"]: one for one in events if one["kind"] == "opened"}
    assert set(opened) == {"ads.contact", "ads.qr_code"}
    assert ADVERT_S <= opened["ads.contact"]["temporal"]["first_seen_s"] <= ADVERT_S + 3
    assert CODE_S <= opened["ads.qr_code"]["temporal"]["first_seen_s"] <= CODE_S + 3
    assert opened["ads.qr_code"]["evidence"]["frames"][0]["qr"] == "https://unseen.example/room/4711"
    closed = {one["violation_id"] for one in events if one["kind"] == "closed"}
    assert closed == {one["violation_id"] for one in opened.values()}


def test_nothing_is_said_of_a_clean_clip(scan, tmp_path):
    game = demo_scenes.Game(seed=60322)
    done = scan(encode_to(tmp_path / "clean.mp4", CLIP, draw=game.frame))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_what_cannot_be_read_is_named_on_standard_error_alone(scan, tmp_path):
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(garbage(200_000))
    done = scan(noise, tmp_path / "missing.mp4")
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "noise.mp4" in done.stderr
    assert "missing.mp4" in done.stderr
