"""A room that is pulled over RTSP from a real media server."""

from __future__ import annotations

import subprocess

import pytest

from streams import demo_broadcast, demo_scenes
from tests.conftest import require
from tests.e2e.processes import until
from tests.live_server import RtspServer

pytestmark = [pytest.mark.rtsp, pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]


def test_an_advert_on_an_rtsp_room_is_found(up, tmp_path):
    require(RtspServer.is_installed(), "GStreamer's RTSP server or its Python bindings are not installed")
    game, casino = demo_scenes.Game(seed=72), demo_scenes.advert("advert_gambling.png", x=420, y=480)
    encoded, media = tmp_path / "advert.flv", tmp_path / "advert.mp4"
    encoded.write_bytes(demo_broadcast.encode(lambda index: game.frame(index, casino), seconds=20))
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", str(encoded), "-c", "copy", str(media)], check=True, timeout=60)
    with RtspServer(media) as rtsp:
        up.watch("rtsp", rtsp.url)
        found = up.found("rtsp", "gambling.promo")
        room = up.room("rtsp")
        up.watch("rtsp-absent", rtsp.url + "/nowhere")
        until(lambda: "not_found" in str(up.room("rtsp-absent")), within_s=60, what="not_found of a room that is not there")
        for room_id in ("rtsp", "rtsp-absent"):
            up.http.delete(f"/v1/rooms/{room_id}").raise_for_status()
    assert found["evidence"]["frames"][0]["width"] == demo_scenes.SIZE[0]
    assert room["picture"]["codec"] == "h264"
