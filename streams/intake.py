"""What a child announced, made into samples and statuses; pure but for the shared memory, and trusting nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from inference.planes import PlanarPicture, planar_bytes
from inference.samples import MAX_PIXELS, AudioClip, FrameSample
from streams.messages import ClipReady, Figures, FrameReady
from streams.orders import WatchOrder
from streams.slab import Lease, Region, Slab
from streams.status import SourceStatus

_COPIED = ("state", "reason", "detail", "mode", "effective_fps", "gop_s", "width", "height", "codec", "pts_s", "duration_s")
_SUMMED = ("n_corrupt", "n_reconnects")


def frame_sample(slab: Slab, ready: FrameReady, order: WatchOrder) -> FrameSample:
    """Make the sample of an announced picture; its region goes back when the picture is let go.

    Raises:
        ValueError: size, place or time make no sense.
    """
    if ready.width < 1 or ready.height < 1 or ready.width * ready.height > MAX_PIXELS:
        raise ValueError(f"a frame of {ready.width}x{ready.height} was announced")
    region = Region(ready.slot, ready.n_slots)
    planes = slab.view(region, planar_bytes(ready.width, ready.height))
    captured_at = datetime.fromtimestamp(ready.captured_unix_s, UTC)
    picture = PlanarPicture.from_bytes(
        planes, (ready.width, ready.height), full_range=ready.full_range, bt709=ready.bt709, lease=Lease(slab, region)
    )
    return FrameSample(order.room_id, order.session_id, ready.pts_s, captured_at, ready.captured_s, picture)


def audio_clip(slab: Slab, ready: ClipReady, order: WatchOrder) -> AudioClip:
    """Copy an announced window of sound out of the slab and give its region back.

    Raises:
        ValueError: size, place or time make no sense.
    """
    region = Region(ready.slot, ready.n_slots)
    pcm = np.array(slab.view(region, ready.n_pcm * 4).view(np.float32))
    slab.release(region)
    captured_at = datetime.fromtimestamp(ready.captured_unix_s, UTC)
    return AudioClip(order.room_id, order.session_id, ready.start_s, captured_at, ready.captured_s, pcm, ready.last)


def drop(slab: Slab, ready: FrameReady | ClipReady) -> None:
    """Give back the region of a sample nobody wants any more.

    Raises:
        ValueError: its place makes no sense.
    """
    region = Region(ready.slot, ready.n_slots)
    slab.view(region, 0)
    slab.release(region)


def with_figures(status: SourceStatus, base: SourceStatus | None, figures: Figures) -> SourceStatus:
    """Bring a status up to date; `base` holds the counts of the room's decoders before the present one."""
    values = {name: getattr(figures, name) for name in _COPIED}
    for name in _SUMMED:
        values[name] = getattr(figures, name) + (getattr(base, name) if base is not None else 0)
    drops = dict(base.drops) if base is not None else {}
    for reason, count in figures.drops.items():
        drops[reason] = drops.get(reason, 0) + count
    return replace(status, **values, drops=tuple(sorted(drops.items())))
