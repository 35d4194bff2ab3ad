"""What the demo shows and what of it must be found: rooms, their sources, chat, and what staff enrol before it begins."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from importlib.resources import files

import cv2
import httpx

from streams.demo_scenes import FPS
from streams.demo_slots import Slots

CHAT = (
    "主播好厉害 666",
    "这波操作可以",
    "下一局打什么英雄",
    "加薇❤❤abc8421 带你上分",
    "哈哈哈哈哈哈",
    "刚来的，什么情况",
    "jia 微 信 abc8421 有福利",
    "这个地图没玩过",
)
"""What the danmaku feed says, again and again; two of the lines are the same advert in disguise."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One thing the demo must find."""

    room_id: str
    label: str
    what: str
    """In words, for the summary."""


PLANTED = (
    Planted("advert", "ads.contact", "an advert painted on the picture"),
    Planted("qrcode", "ads.qr_code", "a QR code on the picture"),
    Planted("pushed", "gambling.promo", "a casino advert in pushed pictures"),
    Planted("chat", "ads.contact", "a contact in disguised danmaku"),
    Planted("breaks", "gambling.promo", "a casino advert in a room that breaks and comes back"),
    Planted("talking", "gambling.promo", "a banned word, spoken"),
    Planted("watermark", "competitor.logo", "an enrolled competitor's mark"),
    Planted("banned", "banned_game.gambling", "a banned title, taught from ten pictures"),
)
CLEAN = "clean"
TITLES = {
    "clean": "an ordinary game",
    "advert": "WeChat advert painted on",
    "qrcode": "QR code, over HLS",
    "pushed": "pictures pushed over HTTP",
    "chat": "danmaku with disguised text",
    "breaks": "breaks and comes back",
    "talking": "a voice that says banned words",
    "watermark": "another platform's watermark",
    "banned": "plays a banned title",
    "garbage": "sends garbage bytes",
}

COMPETITOR = "guagua-tv"
"""The enrolled mark of a platform that does not exist."""
TITLE = "fruit-machine"
"""The taught title, also made up."""
N_TAUGHT = 10


def sources(platform: str) -> dict[str, str | None]:
    """Where each room's media come from; None: they are pushed."""
    return {
        "clean": f"{platform}/live/clean.flv",
        "advert": f"{platform}/live/advert.flv",
        "qrcode": f"{platform}/live/qrcode.m3u8",
        "pushed": None,
        "chat": f"{platform}/live/clean.flv",
        "breaks": f"{platform}/live/breaks.flv",
        "talking": f"{platform}/live/talking.flv",
        "watermark": f"{platform}/live/watermark.flv",
        "banned": f"{platform}/live/banned.flv",
        "garbage": f"{platform}/live/garbage.flv",
    }


async def enrol(api: httpx.AsyncClient) -> None:
    """Enrol the competitor's mark and teach the banned title, as staff would: one picture, ten screenshots of other rounds."""
    mark = files("streams").joinpath("demo_assets", "competitor.png").read_bytes()
    asked = {"label": "competitor.logo", "title": "呱呱TV"}
    await _told(api.put(f"/v1/logos/{COMPETITOR}", params=asked, content=mark, headers={"Content-Type": "image/png"}))
    game = Slots(seed=41)
    shots = [cv2.cvtColor(game.frame(37 * index * FPS), cv2.COLOR_RGB2BGR) for index in range(N_TAUGHT)]
    pictures = [
        ("file", (f"{index}.jpg", cv2.imencode(".jpg", shot)[1].tobytes(), "image/jpeg")) for index, shot in enumerate(shots)
    ]
    await _told(api.post(f"/v1/gallery/{TITLE}", params={"label": "banned_game.gambling", "title": "水果机"}, files=pictures))


async def _told(asking: Awaitable[httpx.Response]) -> None:
    """Wait for an answer; one that refuses for want of a model is told by the demo's summary, others end the demo."""
    answer = await asking
    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        answer.raise_for_status()
