"""A corpus of hostile media beside honest rooms in one pool: every misfortune is named, and no honest room loses a sample."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping

import pytest

from streams.sampling import SamplingPlan
from streams.status import SourceReason, SourceState
from streams.supervisor import PoolLimits
from tests.live_server import Exchange, FlvShow, Handler, LiveServer, body, redirect, refuse, stall, trickle
from tests.media import FLV_HEADER, Clip, FlvTag, encode, flv_tags, garbage, joined_flv, scratched, unknown_codec_flv
from tests.streams.collecting import CollectingSink, order, pool_of

STEADY = SamplingPlan(interval_s=1.0, jitter=0.0, off_key_share=0.0)
HONEST = ("honest-1", "honest-2", "honest-3")
QUICK = PoolLimits(slab_bytes=32 * 1024 * 1024, open_timeout_s=2.0, read_timeout_s=2.0)


def huge_sps(data: bytes) -> bytes:
    """Put a sequence header in front that claims 16384 x 16384 pixels and leave the pictures as they are."""
    bits = "".join(
        [
            f"{66:08b}",
            "00000000",
            f"{62:08b}",
            "1",
            "1",
            "1",
            "010",
            "0",
            exp_golomb(1023),
            exp_golomb(1023),
            "1",
            "1",
            "0",
            "0",
            "1",
        ]
    )
    bits += "0" * (-len(bits) % 8)
    sps = b"\x67" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    pps = b"\x68\xce\x3c\x80"
    avcc = bytes([1, 66, 0, 62, 0xFF, 0xE1]) + struct.pack(">H", len(sps)) + sps + b"\x01" + struct.pack(">H", len(pps)) + pps
    out = [FLV_HEADER]
    for tag in flv_tags(data):
        is_header = tag.kind == 9 and tag.body[1] == 0
        out.append((FlvTag(9, tag.time_ms, tag.body[:5] + avcc) if is_header else tag).pack())
    return b"".join(out)


def exp_golomb(value: int) -> str:
    """Write an unsigned number as H.264 does."""
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def chunked(data: bytes) -> Handler:
    """Say chunks and send something else."""

    def answer(exchange: Exchange) -> None:
        exchange.begin(200, {"Transfer-Encoding": "chunked"})
        exchange.send(data)

    return answer


def cut_off(data: bytes) -> Handler:
    """Promise more than comes."""

    def answer(exchange: Exchange) -> None:
        exchange.begin(200, {"Content-Length": "99999999"})
        exchange.send(data)

    return answer


@pytest.fixture(scope="module")
def honest() -> bytes:
    return encode(Clip(seconds=10, size=(160, 96)), container="flv")


@pytest.fixture(scope="module")
def corpus(honest) -> Mapping[str, Handler]:
    small = encode(Clip(seconds=1, size=(160, 96), audio=None), container="flv")
    large = encode(Clip(seconds=1, size=(640, 360), audio=None), container="flv")
    return {
        "random-bytes": body(garbage(400_000)),
        "random-behind-a-header": body(FLV_HEADER + garbage(400_000)),
        "unknown-codec": FlvShow(unknown_codec_flv(honest)),
        "truncated": body(honest[: len(honest) // 3], length=False),
        "length-that-lies": cut_off(honest[:30_000]),
        "scratched": body(scratched(honest, share=0.02, seed=5), length=False),
        "flips": FlvShow(joined_flv(*[small, large] * 4)),
        "hevc-in-flv": FlvShow(encode(Clip(seconds=4, size=(160, 96), codec="libx265", audio=None), container="flv")),
        "trickle": trickle(honest, head=2000),
        "endless-redirect": redirect("/endless-redirect"),
        "redirect-to-file": redirect("file:///etc/passwd"),
        "huge-claim": body(huge_sps(honest), length=False),
        "stall-after-headers": stall(),
        "stall-after-flv-header": stall(FLV_HEADER),
        "forbidden": refuse(403),
        "html": body(b"<html><body>" + b"x" * 10_000),
        "playlist-to-file": body(b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        "playlist-of-itself": body(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/playlist-of-itself\n"),
        "tiny-chunks": FlvShow(honest, chunked=True),
        "bad-chunks": chunked(b"zz\r\n" + honest[:500]),
        "negative-chunk": chunked(b"-5\r\n" + honest[:500]),
    }


NAMED = {
    "random-bytes": {SourceReason.CORRUPT},
    "unknown-codec": {SourceReason.CODEC_UNSUPPORTED},
    "trickle": {SourceReason.TIMEOUT},
    "endless-redirect": {SourceReason.UNREACHABLE},
    "redirect-to-file": {SourceReason.REFUSED},
    "stall-after-headers": {SourceReason.TIMEOUT},
    "stall-after-flv-header": {SourceReason.TIMEOUT},
    "forbidden": {SourceReason.AUTH},
    "html": {SourceReason.CORRUPT},
    "huge-claim": {SourceReason.TOO_LARGE, SourceReason.CORRUPT},
    "playlist-to-file": {SourceReason.REFUSED, SourceReason.CORRUPT},
    "bad-chunks": {SourceReason.CORRUPT},
    "negative-chunk": {SourceReason.CORRUPT},
}
"""What must be said of those whose misfortune has one name."""
WATCHABLE = ("flips", "hevc-in-flv", "tiny-chunks")


def test_hostile_rooms_are_named_and_cost_honest_ones_nothing(honest, corpus):
    sink = CollectingSink()
    with LiveServer() as server, pool_of(sink, limits=QUICK) as pool:
        for room in HONEST:
            pool.watch(order(room, server.serve(f"/{room}.flv", FlvShow(honest)), STEADY))
        sink.wait(lambda: all(sink.frames[room] for room in HONEST))
        for name, handler in corpus.items():
            pool.watch(order(name, server.serve(f"/{name}", handler), STEADY))

        def named() -> bool:
            return all({status.reason for status in sink.statuses[name]} & reasons for name, reasons in NAMED.items())

        sink.wait(lambda: named() and all(len(sink.frames[name]) >= 4 for name in WATCHABLE))
        n_then = {room: len(sink.frames[room]) for room in HONEST}
        sink.wait(lambda: all(len(sink.frames[room]) > n_then[room] + 2 for room in HONEST))

        for room in HONEST:
            gaps_s = [later.pts_s - earlier.pts_s for earlier, later in itertools.pairwise(sink.frames[room])]
            assert max(gaps_s) <= 1.5 * STEADY.interval_s, f"{room} lost a sample"
            assert pool.status(room).drops == ()
            assert pool.status(room).state is SourceState.LIVE
        assert {frame.size for frame in sink.frames["flips"]} == {(160, 96), (640, 360)}
        assert all(frame.size == (160, 96) for frame in sink.frames["hevc-in-flv"])
        assert not sink.frames["redirect-to-file"]
