"""The two commands a newcomer types first: `scan` on an unseen clip, and `demo` to its end."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from streams import demo_scenes
from streams.demo_broadcast import encode
from streams.demo_scenes import FPS, Game

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.usefixtures("models_are_there")]

ADVERT_FROM_S, CODE_FROM_S = 6.0, 12.0


def livewarden(*arguments: str, timeout_s: float = 180.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streams.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """20 s of 720p: an advert from 6 s on, a QR code from 12 s on."""
    game = Game(4711)
    advert = demo_scenes.advert("advert_wechat.png", x=420, y=96)
    code = demo_scenes.qr_code("https://win.example/r?77", side_px=170, x=90, y=430)

    def draw(index):
        seconds = index / FPS
        frame = game.frame(index, advert if seconds >= ADVERT_FROM_S else None)
        if seconds >= CODE_FROM_S:
            code.over(frame)
        return frame

    path = tmp_path_factory.mktemp("clips") / "planted.flv"
    path.write_bytes(encode(draw, seconds=20))
    return path


def test_scan_finds_what_is_planted_within_three_seconds_and_prints_nothing_else(planted):
    done = livewarden("scan", str(planted), "--json")

    told = [json.loads(line) for line in done.stdout.splitlines()]
    first_seen_s = {one["label"]: one["temporal"]["first_seen_s"] for one in told if one["kind"] == "opened"}
    assert done.returncode == 1, done.stderr
    assert set(first_seen_s) == {"ads.contact", "ads.qr_code"}
    assert ADVERT_FROM_S <= first_seen_s["ads.contact"] <= ADVERT_FROM_S + 3
    assert CODE_FROM_S <= first_seen_s["ads.qr_code"] <= CODE_FROM_S + 3
    assert [one["kind"] for one in told].count("closed") == 2
    assert any(one["evidence"]["frames"][0]["qr"] == "https://win.example/r?77" for one in told if one["label"] == "ads.qr_code")


def test_scan_gives_the_same_ids_for_the_same_clip(planted):
    ids = [
        sorted({json.loads(line)["violation_id"] for line in livewarden("scan", str(planted), "--json").stdout.splitlines()})
        for _ in range(2)
    ]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 2


def test_scan_says_nothing_of_a_clean_clip(tmp_path):
    path = tmp_path / "clean.flv"
    path.write_bytes(encode(Game(4712).frame, seconds=20))

    done = livewarden("scan", str(path), "--json")

    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize("content", [None, b"", b"not a video at all" * 100])
def test_scan_of_what_cannot_be_read_exits_2_and_names_it(tmp_path, content):
    path = tmp_path / "broken.mp4"
    if content is not None:
        path.write_bytes(content)

    done = livewarden("scan", str(path), "--json")

    assert (done.returncode, done.stdout) == (2, "")
    assert "broken.mp4" in done.stderr


def test_demo_finds_everything_it_planted():
    done = livewarden("demo", "--seconds", "40", "--port", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
