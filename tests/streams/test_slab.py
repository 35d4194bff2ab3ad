from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading

import pytest

from streams.slab import MAX_ROOMS, SLOT_BYTES, Activity, Lease, Region, Slab, create_memory

BYTES = 1024 * 1024


@pytest.fixture
def slabs():
    fd = create_memory(BYTES)
    yield Slab(fd, BYTES), Slab(fd, BYTES)
    os.close(fd)


def test_what_one_side_writes_the_other_reads(slabs):
    child, worker = slabs
    region = child.allocate(100_000)
    child.view(region, 100_000)[:] = 7

    assert worker.view(region, 100_000).sum() == 700_000
    assert worker.n_used == region.n_slots == 2


def test_regions_never_overlap_and_a_full_slab_says_so(slabs):
    child, worker = slabs
    regions = []
    while (region := child.allocate(3 * SLOT_BYTES)) is not None:
        regions.append(region)

    slots = [slot for region in regions for slot in range(region.slot, region.slot + region.n_slots)]
    assert len(slots) == len(set(slots)) == 3 * (child.n_slots // 3)

    worker.release(regions[1])
    assert child.allocate(3 * SLOT_BYTES) == regions[1]


def test_flags_and_state_do_not_touch_the_pixels(slabs):
    child, _ = slabs
    everything = child.allocate(child.n_slots * SLOT_BYTES)
    child.view(everything, everything.n_slots * SLOT_BYTES)[:] = 9
    for seat in range(MAX_ROOMS):
        child.beat(seat, 1.0, 2.0)
        child.set_activity(seat, Activity.DECODING)
    child.release(everything)

    assert (child.view(everything, everything.n_slots * SLOT_BYTES) == 9).all()
    assert child.n_used == 0


def test_a_picture_that_could_never_fit_is_known_beforehand(slabs):
    child, _ = slabs

    assert child.fits(child.n_slots * SLOT_BYTES)
    assert not child.fits(child.n_slots * SLOT_BYTES + 1)
    assert child.allocate(child.n_slots * SLOT_BYTES + 1) is None


@pytest.mark.parametrize(
    ("region", "n_bytes"), [(Region(-1, 2), 1), (Region(0, 0), 0), (Region(10_000, 1), 1), (Region(0, 1), SLOT_BYTES + 1)]
)
def test_a_place_outside_is_refused(slabs, region, n_bytes):
    with pytest.raises(ValueError, match="not within a slab"):
        slabs[1].view(region, n_bytes)


def test_a_lease_gives_back_once(slabs):
    child, worker = slabs
    lease = Lease(worker, child.allocate(1))
    lease.release()
    again = child.allocate(1)
    lease.release()

    assert child.n_used == again.n_slots


def test_a_lease_gives_back_when_nobody_holds_it(slabs):
    child, worker = slabs
    lease = Lease(worker, child.allocate(1))
    assert child.n_used == 1

    del lease
    gc.collect()

    assert child.n_used == 0


def test_flags_cross_and_are_cleared_for_the_next_room(slabs):
    child, worker = slabs
    child.beat(5, 100.0, 8.0)
    child.set_activity(5, Activity.DECODING)

    assert worker.activity(5) is Activity.DECODING
    assert worker.overdue_s(5) == 116.0
    assert worker.activity(4) is Activity.IDLE
    assert worker.overdue_s(4) == float("inf")

    worker.clear_seat(5)
    assert child.activity(5) is Activity.IDLE
    assert child.overdue_s(5) == float("inf")


def test_threads_of_a_child_never_get_the_same_place(slabs):
    child, _ = slabs
    taken: list[Region] = []
    barrier = threading.Barrier(4)

    def take() -> None:
        barrier.wait()
        taken.extend(region for _ in range(10) if (region := child.allocate(1)) is not None)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({region.slot for region in taken}) == len(taken) == min(40, child.n_slots)


def test_nothing_is_left_behind_by_a_process_that_is_killed():
    script = "from streams.slab import *; import os; Slab(create_memory(1 << 20), 1 << 20).allocate(9); os.kill(os.getpid(), 9)"
    before = set(os.listdir("/dev/shm"))

    subprocess.run([sys.executable, "-c", script], check=False, timeout=60)

    assert {name for name in set(os.listdir("/dev/shm")) - before if "livewarden" in name} == set()


def test_too_small_a_slab_is_refused():
    with pytest.raises(ValueError, match="a slab needs at least"):
        Slab(-1, 4096)
