"""Opening sources: what is there, and the typed reason when it is not; every server is on loopback."""

from __future__ import annotations

import ssl
import threading
import time

import pytest

from streams.http_body import MAX_REDIRECTS
from streams.messages import ReadMode
from streams.sources import OpenLimits, Source
from streams.status import SourceEnded, SourceReason, SourceUnavailable
from streams.urls import StreamUrl, UrlPolicy
from streams.waiting import Waiting, nap_for
from tests.live_server import FlvShow, LiveServer, body, free_port, redirect, refuse, stall, trickle
from tests.media import Clip, encode, encode_to, garbage, hls, unknown_codec_flv

LOOPBACK = UrlPolicy(allow_loopback=True)
FILES = UrlPolicy(allow_files=True, allow_loopback=True)
QUICK = OpenLimits(open_timeout_s=1.0, read_timeout_s=1.0)
PATIENT = OpenLimits(open_timeout_s=10.0, read_timeout_s=10.0)


@pytest.fixture(scope="module")
def flv() -> bytes:
    return encode(Clip(seconds=3), container="flv")


@pytest.fixture
def server():
    with LiveServer() as running:
        yield running


def waiting(nap_s: float = 0.0) -> Waiting:
    return Waiting(threading.Event(), nap_s=lambda: nap_s, mark_idle=lambda idle: None)


def opened(url: str, *, policy: UrlPolicy = LOOPBACK, limits: OpenLimits = PATIENT, nap_s: float = 0.0) -> Source:
    return Source.open(StreamUrl.parse(url, policy), policy, limits, waiting(nap_s))


def read(url: str, *, policy: UrlPolicy = LOOPBACK, limits: OpenLimits = PATIENT, mode: ReadMode = ReadMode.LIVE) -> dict[str, int]:
    """Read a source to its end; return how many packets each kind of stream gave."""
    source = opened(url, policy=policy, limits=limits)
    counts = {"video": 0, "audio": 0}
    try:
        source.choose(video=True, audio=True, mode=mode)
        for packet in source.packets():
            counts[packet.stream.type] += bool(packet.size)
    except SourceEnded:
        return counts
    finally:
        source.close()
    raise AssertionError("packets neither ended nor failed")


def rest_of(source: Source) -> int:
    """Read an opened source to its end and close it; return how many packets came."""
    n_packets = 0
    try:
        for packet in source.packets():
            n_packets += bool(packet.size)
    except SourceEnded:
        return n_packets
    finally:
        source.close()
    raise AssertionError("packets neither ended nor failed")


def reason(url: str, *, policy: UrlPolicy = LOOPBACK, limits: OpenLimits = QUICK) -> SourceReason:
    with pytest.raises(SourceUnavailable) as caught:
        read(url, policy=policy, limits=limits)
    assert "secret" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("chunked", [False, True])
def test_http_flv_is_read_to_its_end(server, flv, chunked):
    url = server.serve("/live/secret.flv", FlvShow(flv, speed=0, loops=1, chunked=chunked))

    assert read(url)["video"] == 45


def test_napping_reads_the_same_packets(server, flv):
    url = server.serve("/live.flv", FlvShow(flv, speed=4, loops=1))
    source = opened(url, nap_s=0.2)
    source.choose(video=True, audio=False, mode=ReadMode.LIVE)

    assert rest_of(source) == 45


def test_hls_is_read_through_its_segments(server, tmp_path):
    hls(tmp_path, Clip(seconds=6))
    server.serve_folder(tmp_path, "/hls")

    assert read(server.url("/hls/live.m3u8"))["video"] == 90
    assert [path for path in server.hits if path.endswith(".ts")] == [f"/hls/part{index:03d}.ts" for index in range(3)]


def test_a_file_is_read(tmp_path):
    path = encode_to(tmp_path / "a.mp4", Clip(seconds=2))

    assert read(str(path), policy=FILES, mode=ReadMode.FILE)["video"] == 30


def test_an_mp4_with_its_index_at_the_end_is_read_over_http_in_ranges(server, tmp_path):
    data = encode_to(tmp_path / "a.mp4", Clip(seconds=2)).read_bytes()
    url = server.serve("/a.mp4", body(data, ranges=True))

    assert read(url, mode=ReadMode.FILE)["video"] == 30


def test_redirects_are_followed_within_the_policy(server, flv):
    server.serve("/live.flv", body(flv))
    url = server.serve("/old", redirect("/older"))
    server.serve("/older", redirect(server.url("/live.flv"), 307))

    assert read(url)["video"] == 45


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (refuse(404), SourceReason.NOT_FOUND),
        (refuse(410), SourceReason.NOT_FOUND),
        (refuse(401), SourceReason.AUTH),
        (refuse(403), SourceReason.AUTH),
        (refuse(500), SourceReason.UNREACHABLE),
        (redirect("file:///etc/passwd"), SourceReason.REFUSED),
        (redirect("http://169.254.169.254/latest/meta-data"), SourceReason.REFUSED),
        (redirect("http://10.0.0.1/live"), SourceReason.REFUSED),
        (redirect("rtmp://127.0.0.1/live"), SourceReason.REFUSED),
        (redirect("/secret.flv"), SourceReason.UNREACHABLE),
        (stall(headers=False), SourceReason.TIMEOUT),
        (stall(), SourceReason.TIMEOUT),
        (stall(b"FLV\x01\x05\0\0\0\x09\0\0\0\0"), SourceReason.TIMEOUT),
        (trickle(b"FLV\x01\x05\0\0\0\x09\0\0\0\0" * 100), SourceReason.TIMEOUT),
        (body(garbage(200_000)), SourceReason.CORRUPT),
        (body(b""), SourceReason.ENDED),
        (body(b"<html>not media</html>"), SourceReason.CORRUPT),
    ],
)
def test_each_misfortune_has_its_reason(server, handler, expected):
    assert reason(server.serve("/secret.flv", handler)) is expected


def test_an_endless_redirect_is_given_up(server):
    url = server.serve("/round", redirect("/round"))

    assert reason(url) is SourceReason.UNREACHABLE
    assert len(server.hits) == MAX_REDIRECTS + 1


def test_a_server_that_trickles_its_headers_holds_nobody(server):
    def headers(exchange):
        exchange.http.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while exchange.sleep(0.05):
            exchange.http.wfile.write(b"a")

    began_s = time.monotonic()

    assert reason(server.serve("/secret", headers)) is SourceReason.TIMEOUT
    assert time.monotonic() - began_s < 10 * QUICK.open_timeout_s


def test_a_stall_in_mid_stream_is_a_timeout(server, flv):
    url = server.serve("/secret.flv", stall(flv[: len(flv) // 2]))

    assert reason(url) is SourceReason.TIMEOUT


def test_a_trickle_in_mid_stream_is_a_timeout(server, flv):
    url = server.serve("/secret.flv", trickle(flv, head=len(flv) // 2))

    assert reason(url) is SourceReason.TIMEOUT


def test_nobody_there_is_unreachable():
    assert reason(f"http://127.0.0.1:{free_port()}/secret.flv") is SourceReason.UNREACHABLE
    assert reason(f"rtmp://127.0.0.1:{free_port()}/live/secret") is SourceReason.UNREACHABLE
    assert reason(f"rtsp://127.0.0.1:{free_port()}/secret") is SourceReason.UNREACHABLE


def test_a_name_nobody_knows_is_unreachable():
    assert reason("http://no-such-host.invalid/secret") is SourceReason.UNREACHABLE


def test_plain_http_behind_https_is_a_tls_error(server):
    assert reason(server.url("/secret").replace("http:", "https:")) is SourceReason.TLS


def test_a_certificate_nobody_vouches_for_is_a_tls_error(server, monkeypatch):
    def refuse_all(*_, **__):
        raise ssl.SSLCertVerificationError(1, "certificate verify failed")

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", refuse_all)

    assert reason(server.url("/secret").replace("http:", "https:")) is SourceReason.TLS


@pytest.mark.parametrize("scheme", ["http", "rtmp", "rtsp"])
def test_a_name_that_resolves_inside_is_refused(scheme):
    public_only = UrlPolicy()

    assert reason(f"{scheme}://localhost:9/secret", policy=public_only) is SourceReason.REFUSED


@pytest.mark.parametrize(
    "entry", ["file:///etc/passwd", "http://169.254.169.254/x.ts", "http://10.1.2.3/x.ts", "concat:a|b", "data:x,y"]
)
def test_a_playlist_that_names_an_address_inside_is_refused(server, entry):
    playlist = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{entry}\n#EXT-X-ENDLIST\n"
    url = server.serve("/secret.m3u8", body(playlist.encode()))

    assert reason(url) in (SourceReason.REFUSED, SourceReason.CORRUPT)
    assert server.hits == ["/secret.m3u8"]


def test_a_playlist_whose_segment_redirects_inside_is_refused(server):
    playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nx.ts\n#EXT-X-ENDLIST\n"
    url = server.serve("/secret.m3u8", body(playlist.encode()))
    server.serve("/x.ts", redirect("http://169.254.169.254/x.ts"))

    assert reason(url) is SourceReason.REFUSED


def test_a_missing_segment_costs_that_segment_only(server, tmp_path):
    hls(tmp_path, Clip(seconds=6))
    server.serve_folder(tmp_path, "/hls")
    del server.handlers["/hls/part001.ts"]

    assert 55 <= read(server.url("/hls/live.m3u8"))["video"] <= 60


def test_an_unknown_codec_is_named(server, flv):
    assert reason(server.serve("/secret.flv", body(unknown_codec_flv(flv)))) is SourceReason.CODEC_UNSUPPORTED


def test_a_picture_beyond_the_limit_is_refused_before_it_is_decoded(server):
    data = encode(Clip(seconds=1, size=(640, 480), audio=None), container="flv")
    url = server.serve("/secret.flv", body(data))

    assert reason(url, limits=OpenLimits(2.0, 2.0, max_pixels=640 * 479)) is SourceReason.TOO_LARGE


def test_what_is_missing_is_said_while_the_rest_is_read(server, flv):
    silent = opened(server.serve("/silent.flv", body(encode(Clip(seconds=1, audio=None), container="flv"))))
    silent.choose(video=True, audio=True, mode=ReadMode.LIVE)
    assert silent.lacks is SourceReason.NO_AUDIO
    silent.close()

    unseen = only_sound(server, flv)
    with pytest.raises(SourceUnavailable) as caught:
        unseen.choose(video=True, audio=False, mode=ReadMode.LIVE)
    unseen.close()
    assert caught.value.reason is SourceReason.NO_VIDEO

    dark = only_sound(server, flv)
    dark.choose(video=True, audio=True, mode=ReadMode.LIVE)
    assert dark.lacks is SourceReason.NO_VIDEO
    dark.close()


def only_sound(server: LiveServer, flv: bytes) -> Source:
    from tests.media import FLV_HEADER, flv_tags

    sound = b"".join(tag.pack() for tag in flv_tags(flv) if tag.kind == 8)
    return opened(server.serve("/sound.flv", body(FLV_HEADER.replace(b"\x01\x05", b"\x01\x04") + sound)))


def test_the_largest_of_several_pictures_is_read(tmp_path):
    import av

    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as muxer:
        streams = []
        for width, height in ((160, 120), (320, 240)):
            stream = muxer.add_stream("libx264", rate=5)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        for stream in streams:
            for _ in range(5):
                muxer.mux(stream.encode(av.VideoFrame(stream.width, stream.height, "yuv420p")))
            muxer.mux(stream.encode(None))

    source = opened(str(path), policy=FILES)
    source.choose(video=True, audio=False, mode=ReadMode.FILE)

    assert source.video is not None
    assert source.video.codec_context.width == 320
    source.close()


def test_a_room_told_to_stop_lets_go_while_it_waits(server, flv):
    patience = waiting()
    url = server.serve("/secret.flv", stall(flv[: len(flv) // 2]))
    source = Source.open(StreamUrl.parse(url, LOOPBACK), LOOPBACK, PATIENT, patience)
    source.choose(video=True, audio=False, mode=ReadMode.LIVE)
    threading.Timer(0.3, patience.stopping.set).start()

    with pytest.raises(SourceUnavailable, match="no longer watched"):
        rest_of(source)


def test_naps_grow_with_the_company():
    assert [nap_for(n_rooms) for n_rooms in (1, 2, 3, 32, 33, 100)] == [0.0, 0.0, 0.05, 0.05, 0.1, 0.1]
