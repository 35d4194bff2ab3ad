"""The pool end to end: real children, real sockets, real media. Times asserted are the media's own, never the wall clock's."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference.clock import SystemClock
from inference.metrics import Metrics
from inference.samples import FrameSample
from streams.intake import audio_clip, drop, frame_sample, with_figures
from streams.messages import ClipReady, Figures, FrameReady
from streams.sampling import AudioPlan, SamplingMode, SamplingPlan
from streams.settings import Settings
from streams.slab import Activity, Slab, create_memory
from streams.status import SourceReason, SourceState, SourceStatus
from streams.supervisor import DecoderPool, PoolLimits, ReadMode
from tests.conftest import require
from tests.live_server import FlvShow, LiveServer, RtmpServer, refuse
from tests.media import Clip, encode, encode_to, hls
from tests.streams.collecting import LOOPBACK, CollectingSink, order, pool_of

STEADY = SamplingPlan(interval_s=1.0, jitter=0.0, off_key_share=0.0)
SMALL = Clip(seconds=10, size=(160, 96), fps=15, gop=15)
TALL = (160, 96)


@pytest.fixture(scope="module")
def flv() -> bytes:
    return encode(SMALL, container="flv")


@pytest.fixture
def server():
    with LiveServer() as running:
        yield running


@pytest.fixture
def sink():
    return CollectingSink()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, within_s: float = 10.0) -> bool:
    """Wait for the end of a process that may be nobody's child here."""
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            import select

            select.select([fd], [], [], within_s)
        finally:
            os.close(fd)
    return not is_alive(pid)


def home_of(pool: DecoderPool, room_id: str):
    """The decoder that has the room now; waits for nothing."""
    return pool._rooms[room_id].decoder


def test_a_file_is_read_to_its_end_from_zero_without_a_drop(sink, tmp_path):
    path = encode_to(tmp_path / "a.mp4", Clip(seconds=20, size=TALL, b_frames=2))
    plan = SamplingPlan(interval_s=1.0, jitter=0.0, off_key_share=0.0, audio=AudioPlan(8.0, 4.0))

    with pool_of(sink) as pool:
        pool.watch(order("file", path, plan, mode=ReadMode.FILE))
        sink.wait(lambda: sink.reached("file", SourceState.ENDED))
        status = pool.status("file")

    assert [frame.number for frame in sink.frames["file"]] == list(range(0, 300, 15))
    assert [round(frame.pts_s, 3) for frame in sink.frames["file"]] == [float(second) for second in range(20)]
    assert [round(clip.start_s, 1) for clip in sink.clips["file"]] == [0.0, 4.0, 8.0, 12.0]
    assert [clip.last for clip in sink.clips["file"]] == [False, False, False, True]
    assert status is not None
    assert (status.n_frames, status.n_clips, status.n_corrupt, status.drops) == (20, 4, 0, ())
    assert status.duration_s == pytest.approx(20, abs=0.2)
    assert status.pts_s == pytest.approx(20, abs=0.2)
    assert (status.width, status.height, status.codec) == (*TALL, "h264")


def test_a_file_that_is_not_there_fails_with_its_reason(sink, tmp_path):
    with pool_of(sink) as pool:
        pool.watch(order("file", tmp_path / "none.mp4", mode=ReadMode.FILE))
        sink.wait(lambda: sink.reached("file", SourceState.FAILED))

    assert sink.last("file").reason is SourceReason.NOT_FOUND


def test_http_flv_is_watched_live(sink, server, flv):
    url = server.serve("/live/s3cret.flv", FlvShow(flv))
    plan = SamplingPlan(interval_s=1.0, jitter=0.0, off_key_share=0.0, audio=AudioPlan(2.0, 1.0))

    with pool_of(sink) as pool:
        pool.watch(order("room", url, plan))
        sink.wait(lambda: len(sink.frames["room"]) >= 4 and len(sink.clips["room"]) >= 2)
        sink.wait(lambda: sink.last("room").mode is SamplingMode.KEY_FRAMES)
        status = sink.last("room")

    assert [frame.number for frame in sink.frames["room"][:4]] == [0, 15, 30, 45]
    assert [later.pts_s - earlier.pts_s for earlier, later in itertools.pairwise(sink.frames["room"][:4])] == pytest.approx(
        [1.0] * 3
    )
    assert status.state is SourceState.LIVE
    assert status.reason is None
    assert status.gop_s == pytest.approx(1.0)
    assert status.effective_fps == pytest.approx(1.0, rel=0.2)
    assert "s3cret" not in repr(sink.statuses)


def test_hls_is_watched(sink, server, tmp_path):
    hls(tmp_path, Clip(seconds=6, size=TALL))
    server.serve_folder(tmp_path, "/hls")

    with pool_of(sink) as pool:
        pool.watch(order("room", server.url("/hls/live.m3u8"), mode=ReadMode.FILE))
        sink.wait(lambda: sink.reached("room", SourceState.ENDED))

    assert [frame.number for frame in sink.frames["room"]] == list(range(0, 90, 15))


@pytest.mark.rtmp
def test_rtmp_is_watched(sink, tmp_path):
    require(RtmpServer.is_installed(), "nginx with its RTMP module and ffmpeg are not installed")
    media = encode_to(tmp_path / "push.flv", SMALL)

    with RtmpServer(tmp_path) as rtmp, pool_of(sink) as pool:
        pool.watch(order("room", rtmp.push(media, "secret"), SamplingPlan(1.0, 0.0, 0.0, AudioPlan(2.0, 1.0))))
        sink.wait(lambda: len(sink.frames["room"]) >= 3 and len(sink.clips["room"]) >= 1)

    numbers = [frame.number for frame in sink.frames["room"]]
    assert all(later - earlier in (15, 15 - 150) for earlier, later in itertools.pairwise(numbers))
    assert "secret" not in repr(sink.statuses)


def test_a_room_without_picture_is_heard_and_said_to_lack_it(sink, server, flv):
    from tests.media import FLV_HEADER, flv_tags

    sound = FLV_HEADER.replace(b"\x01\x05", b"\x01\x04") + b"".join(tag.pack() for tag in flv_tags(flv) if tag.kind == 8)
    url = server.serve("/sound.flv", FlvShow(sound))

    with pool_of(sink) as pool:
        pool.watch(order("room", url, SamplingPlan(1.0, 0.0, 0.0, AudioPlan(1.0, 1.0))))
        sink.wait(lambda: sink.clips["room"])
        status = sink.reached("room", SourceState.LIVE)

    assert status is not None
    assert status.reason is SourceReason.NO_VIDEO


def test_a_stream_that_breaks_is_opened_again_and_its_time_goes_on(sink, server):
    show = FlvShow(encode(Clip(seconds=3, size=TALL, audio=None), container="flv"), speed=3.0, loops=1)
    url = server.serve("/live.flv", show)

    with pool_of(sink) as pool:
        pool.watch(order("room", url))
        sink.wait(lambda: len(sink.frames["room"]) >= 7)
        status = sink.last("room")

    times_s = [frame.pts_s for frame in sink.frames["room"]]
    assert times_s == sorted(times_s)
    assert status.n_reconnects >= 2
    assert sink.reached("room", SourceState.RECONNECTING).reason is SourceReason.ENDED


def test_a_stream_that_ended_and_is_not_found_again_is_over(sink, server, flv):
    def once(exchange):
        server.handlers["/live.flv"] = refuse(404)
        FlvShow(flv, speed=0, loops=1)(exchange)

    url = server.serve("/live.flv", once)

    with pool_of(sink, limits=PoolLimits(slab_bytes=16 * 1024 * 1024, ended_after_s=1.0)) as pool:
        pool.watch(order("room", url))
        sink.wait(lambda: sink.reached("room", SourceState.ENDED))

    assert sink.last("room").reason is SourceReason.ENDED
    assert len(sink.frames["room"]) == 10


def test_an_encoder_that_comes_back_is_not_over(sink, server, flv):
    def once(exchange):
        server.handlers["/live.flv"] = refuse_thrice
        FlvShow(flv, speed=0, loops=1)(exchange)

    def refuse_thrice(exchange):
        if server.hits.count("/live.flv") >= 4:
            server.handlers["/live.flv"] = FlvShow(flv)
        refuse(404)(exchange)

    url = server.serve("/live.flv", once)

    with pool_of(sink) as pool:
        pool.watch(order("room", url))
        sink.wait(lambda: len(sink.frames["room"]) >= 12)

    assert sink.reached("room", SourceState.ENDED) is None
    assert sink.last("room").state is SourceState.LIVE


def test_a_source_that_never_comes_is_given_up_when_its_budget_is_spent(sink, server):
    limits = PoolLimits(slab_bytes=16 * 1024 * 1024, retry_budget_s=1.0)

    with pool_of(sink, limits=limits) as pool:
        pool.watch(order("room", server.serve("/live.flv", refuse(403))))
        sink.wait(lambda: sink.reached("room", SourceState.FAILED))

    assert sink.last("room").reason is SourceReason.AUTH
    assert sink.last("room").n_reconnects >= 1


def test_nothing_of_a_room_comes_after_it_was_unwatched(sink, server, flv):
    first, second = (server.serve(f"/{name}.flv", FlvShow(flv)) for name in ("a", "b"))
    with pool_of(sink) as pool:
        pool.watch(order("a", first))
        pool.watch(order("b", second))
        sink.wait(lambda: sink.frames["a"] and sink.frames["b"])
        pool.unwatch("a")
        n_then = len(sink.frames["b"])
        sink.wait(lambda: len(sink.frames["b"]) > n_then)
        n_a = len(sink.frames["a"])
        sink.wait(lambda: len(sink.frames["b"]) > n_then + 2)

        assert len(sink.frames["a"]) == n_a
        assert pool.status("a") is None
        assert [status.room_id for status in pool.statuses()] == ["b"]


def test_a_plan_can_be_changed_while_it_is_watched(sink, server, flv):
    with pool_of(sink) as pool:
        pool.watch(order("room", server.serve("/live.flv", FlvShow(flv)), SamplingPlan(30.0, 0.0, 0.0)))
        sink.wait(lambda: sink.frames["room"])

        pool.change_plan("room", SamplingPlan(0.5, 0.0, 0.0))
        pool.change_plan("nobody", STEADY)
        sink.wait(lambda: len(sink.frames["room"]) >= 5)

    gaps_s = [later.pts_s - earlier.pts_s for earlier, later in itertools.pairwise(sink.frames["room"][1:])]
    assert max(gaps_s) <= 1.1


class HoldingSink(CollectingSink):
    """Keeps the samples themselves, and so their memory."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[FrameSample] = []

    def on_frame(self, sample: FrameSample) -> None:
        self.held.append(sample)
        super().on_frame(sample)


def test_a_live_room_drops_and_counts_when_the_slab_is_full(server, flv):
    sink = HoldingSink()
    limits = PoolLimits(slab_bytes=256 * 1024, has_spare=False)

    with pool_of(sink, limits=limits) as pool:
        pool.watch(order("room", server.serve("/live.flv", FlvShow(flv, speed=8))))
        sink.wait(lambda: dict(sink.last("room").drops if sink.last("room") else ()).get("slab_full", 0) >= 3)
        n_held = len(sink.held)
        sink.held.clear()
        gc.collect()
        sink.wait(lambda: len(sink.frames["room"]) > n_held)

    assert 1 <= n_held <= 4


def test_a_file_waits_when_the_slab_is_full(tmp_path):
    sink = HoldingSink()
    path = encode_to(tmp_path / "a.mp4", Clip(seconds=12, size=TALL, audio=None))

    with pool_of(sink, limits=PoolLimits(slab_bytes=256 * 1024, has_spare=False)) as pool:
        pool.watch(order("file", path, mode=ReadMode.FILE))
        sink.wait(lambda: len(sink.held) >= 3)
        while not sink.reached("file", SourceState.ENDED):
            n_before = len(sink.frames["file"])
            sink.held.clear()
            gc.collect()
            sink.wait(lambda n=n_before: len(sink.frames["file"]) > n or sink.reached("file", SourceState.ENDED))

    assert [frame.number for frame in sink.frames["file"]] == list(range(0, 180, 15))
    assert sink.last("file").drops == ()


def test_rooms_are_shared_among_children_and_one_is_spare(sink, server, flv):
    limits = PoolLimits(rooms_per_decoder=2, slab_bytes=8 * 1024 * 1024)
    with pool_of(sink, limits=limits) as pool:
        for index in range(3):
            pool.watch(order(f"r{index}", server.serve(f"/{index}.flv", FlvShow(flv))))
        sink.wait(lambda: all(sink.frames[f"r{index}"] for index in range(3)))

        homes = [home_of(pool, f"r{index}").pid for index in range(3)]
        assert len(pool.pids()) == 3
        assert len(set(homes)) == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_decoder_that_dies_costs_no_room_more_than_one_sample(sink, server, flv, how):
    rooms = [f"r{index}" for index in range(4)]
    with pool_of(sink) as pool:
        for room in rooms:
            pool.watch(order(room, server.serve(f"/{room}.flv", FlvShow(flv))))
        sink.wait(lambda: all(len(sink.frames[room]) >= 2 for room in rooms))
        counts = {room: len(sink.frames[room]) for room in rooms}

        os.kill(home_of(pool, "r0").pid, how)
        sink.wait(lambda: all(len(sink.frames[room]) >= counts[room] + 3 for room in rooms))
        sink.wait(lambda: all(pool.status(room).n_frames >= counts[room] + 2 for room in rooms))

        for room in rooms:
            gaps_s = [later.captured_s - earlier.captured_s for earlier, later in itertools.pairwise(sink.frames[room])]
            # Two intervals are one lost sample; the rest is what a busy machine may take to open four streams again.
            assert max(gaps_s) <= 2 * STEADY.interval_s + 1.5
            times_s = [frame.pts_s for frame in sink.frames[room]]
            assert times_s == sorted(times_s)
            assert pool.status(room).n_moves == 1


def kill_as_if_decoding(pool: DecoderPool, room: str) -> int:
    """Kill the child of a room at a moment at which that room, and no other, is inside the decoder."""
    decoder = home_of(pool, room)
    os.kill(decoder.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, decoder.pid, os.WSTOPPED)
    for seat in decoder.seats.values():
        decoder.slab.set_activity(seat, Activity.IDLE)
    decoder.slab.set_activity(decoder.seats[pool._rooms[room].watch_id], Activity.DECODING)
    os.kill(decoder.pid, signal.SIGSEGV)
    os.kill(decoder.pid, signal.SIGCONT)
    return decoder.pid


def test_a_room_that_kills_its_decoder_twice_goes_alone_and_comes_back_when_harmless(sink, server, flv, monkeypatch):
    monkeypatch.setattr("streams.quarantine.FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr("streams.quarantine.CLEAR_AFTER_S", 2.0)
    rooms = ["bad", "good"]
    with pool_of(sink) as pool:
        for room in rooms:
            pool.watch(order(room, server.serve(f"/{room}.flv", FlvShow(flv))))
        for n_kills in (1, 2):
            sink.wait(lambda n=n_kills: all(len(sink.frames[room]) >= 2 * n for room in rooms) and home_of(pool, "bad"))
            kill_as_if_decoding(pool, "bad")
            sink.wait(lambda n=n_kills: pool.status("bad").n_moves == n and pool.status("good").n_moves == n)
        n_then = len(sink.frames["bad"])
        sink.wait(lambda: len(sink.frames["bad"]) > n_then and home_of(pool, "bad"))

        assert sink.reached("bad", SourceState.QUARANTINED).reason is SourceReason.DECODER_DIED
        assert sink.reached("good", SourceState.QUARANTINED) is None
        assert home_of(pool, "bad").pid != home_of(pool, "good").pid
        assert home_of(pool, "bad").is_quarantine

        sink.wait(lambda: home_of(pool, "bad") is not None and home_of(pool, "bad") is home_of(pool, "good"))
        sink.wait(lambda: pool.status("bad").state is SourceState.LIVE)


def test_a_room_that_hangs_inside_ffmpeg_has_its_decoder_replaced(sink, server, flv):
    with pool_of(sink) as pool:
        pool.watch(order("room", server.serve("/live.flv", FlvShow(flv))))
        sink.wait(lambda: sink.frames["room"])
        decoder = home_of(pool, "room")
        os.kill(decoder.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, decoder.pid, os.WSTOPPED)
        decoder.slab.beat(0, SystemClock().now_s() - 100.0, 1.0)
        decoder.slab.set_activity(0, Activity.DEMUXING)
        n_then = len(sink.frames["room"])

        sink.wait(lambda: len(sink.frames["room"]) > n_then + 1)

        assert not is_alive(decoder.pid)
        assert "hung" in sink.reached("room", SourceState.RECONNECTING).detail


def test_a_file_is_not_handed_over_twice_when_its_decoder_dies(tmp_path):
    sink = HoldingSink()
    path = encode_to(tmp_path / "a.mp4", Clip(seconds=12, size=TALL))
    plan = SamplingPlan(1.0, 0.0, 0.0, AudioPlan(2.0, 1.0))

    with pool_of(sink, limits=PoolLimits(slab_bytes=512 * 1024)) as pool:
        pool.watch(order("file", path, plan, mode=ReadMode.FILE))
        sink.wait(lambda: len(sink.held) >= 3)
        os.kill(home_of(pool, "file").pid, signal.SIGKILL)
        sink.wait(lambda: pool.status("file").n_moves == 1)
        while not sink.reached("file", SourceState.ENDED):
            n_before = len(sink.frames["file"])
            sink.held.clear()
            gc.collect()
            sink.wait(lambda n=n_before: len(sink.frames["file"]) > n or sink.reached("file", SourceState.ENDED))

    numbers = [frame.number for frame in sink.frames["file"]]
    assert numbers == sorted(set(numbers))
    assert numbers == list(range(0, 180, 15))
    starts_s = [round(clip.start_s, 2) for clip in sink.clips["file"]]
    assert starts_s == sorted(set(starts_s))


def test_pictures_outlive_the_decoder_that_made_them(server, flv):
    sink = HoldingSink()
    with pool_of(sink) as pool:
        pool.watch(order("room", server.serve("/live.flv", FlvShow(flv))))
        sink.wait(lambda: sink.held)
        before = sink.held[0].picture.rgb()

    assert np.array_equal(sink.held[0].picture.rgb(), before)


def test_closing_leaves_no_process(sink, server, flv):
    with pool_of(sink) as pool:
        pool.watch(order("room", server.serve("/live.flv", FlvShow(flv))))
        sink.wait(lambda: sink.frames["room"])
        pids = pool.pids()
    pool.close()

    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)


def test_children_die_with_a_worker_that_is_killed():
    script = (
        "from tests.streams.collecting import *; s = CollectingSink(); p = DecoderPool(s); p.start()\n"
        "import time\n"
        "while len(p.pids()) < 1: time.sleep(0.01)\n"
        "print(*p.pids(), flush=True); threading.Event().wait()"
    )
    worker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert worker.stdout is not None
    pids = [int(word) for word in worker.stdout.readline().split()]

    worker.kill()
    worker.wait()
    worker.stdout.close()

    assert pids
    assert all(gone(pid) for pid in pids)


def test_a_sink_that_fails_does_not_end_the_others(server, flv, caplog):
    class Failing(CollectingSink):
        def on_frame(self, sample: FrameSample) -> None:
            if sample.room_id == "bad":
                raise RuntimeError("no")
            super().on_frame(sample)

    sink = Failing()
    with pool_of(sink) as pool:
        for room in ("bad", "good"):
            pool.watch(order(room, server.serve(f"/{room}.flv", FlvShow(flv))))
        sink.wait(lambda: len(sink.frames["good"]) >= 3)

    assert "sink failed" in caplog.text


def test_metrics_are_fed(sink, server, flv):
    metrics = Metrics()
    pool = DecoderPool(sink, PoolLimits(slab_bytes=256 * 1024, has_spare=False), policy=LOOPBACK, metrics=metrics)
    pool.start()
    try:
        pool.watch(order("room", server.serve("/live.flv", FlvShow(flv))))
        sink.wait(lambda: len(sink.frames["room"]) >= 2)
        os.kill(home_of(pool, "room").pid, signal.SIGKILL)
        sink.wait(lambda: len(sink.frames["room"]) >= 4)
        text = metrics.exposition().decode()
    finally:
        pool.close()

    assert 'livewarden_decoder_restarts_total{reason="signal_9"} 1.0' in text
    assert "livewarden_decoders 1.0" in text


def test_a_pool_follows_the_settings():
    settings = Settings(decoders={"rooms_per_decoder": 7, "slab_mib": 9}, rooms={"allow_private": True})

    pool = DecoderPool.from_settings(CollectingSink(), settings, clock=SystemClock())

    assert (pool._limits.rooms_per_decoder, pool._limits.slab_bytes) == (7, 9 * 1024 * 1024)
    assert pool._settings.policy.allow_private
    pool.close()


# what children say is not believed


@pytest.fixture
def slab():
    fd = create_memory(1024 * 1024)
    yield Slab(fd, 1024 * 1024)
    os.close(fd)


def frame_ready(**changed) -> FrameReady:
    given = {"watch_id": 1, "slot": 0, "n_slots": 1, "width": 16, "height": 16, "full_range": False, "bt709": False}
    return FrameReady(**{**given, "pts_s": 1.0, "captured_s": 1.0, "captured_unix_s": 1.0, **changed})


LIES = [{"width": 0}, {"height": -1}, {"width": 10**6, "height": 10**6}, {"slot": -1}, {"slot": 10**6}, {"n_slots": 0}]


@pytest.mark.parametrize("lie", [*LIES, {"width": 640, "height": 480}])
def test_a_frame_that_cannot_be_is_refused(slab, lie):
    with pytest.raises(ValueError, match=r"announced|not within"):
        frame_sample(slab, frame_ready(**lie), order("r", "http://127.0.0.1/x"))


@pytest.mark.parametrize("lie", [{"n_pcm": -1}, {"n_pcm": 10**6}, {"slot": 99}])
def test_a_clip_that_cannot_be_is_refused(slab, lie):
    given = {
        "watch_id": 1,
        "slot": 0,
        "n_slots": 1,
        "n_pcm": 160,
        "start_s": 0.0,
        "captured_s": 1.0,
        "captured_unix_s": 1.0,
        "last": False,
    }
    ready = ClipReady(**{**given, **lie})

    with pytest.raises(ValueError, match="not within"):
        audio_clip(slab, ready, order("r", "http://127.0.0.1/x"))


def test_a_sample_nobody_wants_gives_its_memory_back(slab):
    region = slab.allocate(1000)
    drop(slab, frame_ready(slot=region.slot, n_slots=region.n_slots))

    assert slab.n_used == 0
    with pytest.raises(ValueError, match="not within"):
        drop(slab, frame_ready(slot=-3))


def test_counts_go_on_across_decoders():
    figures = Figures(
        watch_id=1,
        state=SourceState.LIVE,
        reason=None,
        detail="",
        mode=SamplingMode.KEY_FRAMES,
        effective_fps=1.0,
        gop_s=2.0,
        width=16,
        height=16,
        codec="h264",
        pts_s=5.0,
        duration_s=None,
        n_corrupt=1,
        n_reconnects=2,
        drops={"slab_full": 2},
    )
    base = SourceStatus("r", "s", SourceState.RECONNECTING, n_corrupt=4, drops=(("missed", 1), ("slab_full", 5)))

    status = with_figures(base, base, figures)

    assert (status.n_corrupt, status.n_reconnects) == (5, 2)
    assert status.drops == (("missed", 1), ("slab_full", 7))
    assert status.state is SourceState.LIVE
