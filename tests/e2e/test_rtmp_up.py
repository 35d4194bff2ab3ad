"""A room that is pulled over RTMP from a real media server."""

from __future__ import annotations

import pytest

from streams import demo_broadcast, demo_scenes
from tests.conftest import require
from tests.live_server import RtmpServer

pytestmark = [pytest.mark.rtmp, pytest.mark.models, pytest.mark.slow, pytest.mark.timeout(240)]


def test_an_advert_on_an_rtmp_room_is_found_and_its_stream_key_stays_secret(up, tmp_path):
    require(RtmpServer.is_installed(), "nginx with its RTMP module and ffmpeg are not installed")
    game, casino = demo_scenes.Game(seed=71), demo_scenes.advert("advert_gambling.png", x=420, y=480)
    media = tmp_path / "advert.flv"
    media.write_bytes(demo_broadcast.encode(lambda index: game.frame(index, casino), seconds=6))
    with RtmpServer(tmp_path) as rtmp:
        up.watch("rtmp", rtmp.push(media, "k3y-nobody-sees"))
        found = up.found("rtmp", "gambling.promo")
        room = up.room("rtmp")
        up.http.delete("/v1/rooms/rtmp").raise_for_status()
    assert found["evidence"]["frames"][0]["width"] == demo_scenes.SIZE[0]
    assert room["picture"]["codec"] == "h264"
    assert "k3y-nobody-sees" not in str(room)
    assert "k3y-nobody-sees" not in up.log()
    assert up.http.get("/v1/rooms/rtmp").status_code == 404
