"""Lanes: n samples in, n answers out, whatever happens in between. Real threads, no sleeps; held sessions make the moments."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.batching import CLIMB_AFTER_S, DEFAULT_LADDER
from inference.errors import ConfigError, DeadlineExceeded, ModelError, NotReady, Overloaded
from inference.lanes import Device, Lane, LaneState, Ticket
from inference.memory import MemoryBudget
from inference.metrics import Metrics
from inference.sessions import OnnxSession, OutOfMemory, Rows
from inference.testing import FakeSession, ManualClock, fake_device, fake_lane, fake_share
from inference.verdicts import ModelRef
from tests.onnx_maker import scale_graph

WAIT_S = 10.0
"""How long a test waits for what must happen; never reached when it does."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def device(clock: ManualClock) -> Iterator[Device]:
    with fake_device(clock=clock) as device:
        yield device


def warm_lane(device: Device, session: FakeSession | None = None, **kwargs: object) -> Lane:
    options: dict[str, object] = {"max_queue": 64} | kwargs
    lane = Lane("t", session or FakeSession(), device, **options)  # type: ignore[arg-type]
    lane.warm()
    return lane


def sample(value: float) -> Rows:
    return {"x": np.full((2,), value, np.float32)}


def answers(tickets: Sequence[Ticket]) -> list[float]:
    return [float(ticket.result(WAIT_S)["y"][0]) for ticket in tickets]


def held_lane(device: Device, session: FakeSession, **kwargs: object) -> tuple[Lane, Ticket]:
    """A lane whose only thread is inside the run of a first sample, so that everything after it waits."""
    lane = warm_lane(device, session, **kwargs)
    session.hold()
    first = lane.submit(sample(0))
    session.wait_entered()
    return lane, first


# ---- answers


def test_a_sample_gets_its_own_rows(device: Device):
    lane = warm_lane(device)

    assert answers([lane.submit(sample(21))]) == [42.0]


def test_waiting_samples_run_together_padded_to_the_ladder_and_answered_in_order(device: Device):
    session = FakeSession()
    lane, first = held_lane(device, session)
    tickets = [lane.submit(sample(n)) for n in range(1, 12)]
    session.release()

    assert answers([first, *tickets]) == [2.0 * n for n in range(12)]
    assert session.batches == [1, 16]
    assert tickets[0].timing is not None
    assert tickets[0].timing.n_batch == 11


def test_a_cpu_runs_full_rungs_and_pads_nothing(device: Device):
    session = FakeSession(provider="CPUExecutionProvider")
    lane, _ = held_lane(device, session)
    tickets = [lane.submit(sample(n)) for n in range(7)]
    session.release()

    assert answers(tickets) == [2.0 * n for n in range(7)]
    assert session.batches == [1, 4, 2, 1]


def test_shapes_do_not_mix(device: Device):
    session = FakeSession()
    lane, _ = held_lane(device, session)
    wide = [lane.submit({"x": np.full((4,), n, np.float32)}) for n in range(2)]
    tall = [lane.submit({"x": np.full((9,), n, np.float32)}) for n in range(2)]
    kind = lane.submit({"x": np.full((9,), 7, np.float64)})
    session.release()

    assert answers([*wide, *tall, kind]) == [0.0, 2.0, 0.0, 2.0, 14.0]
    assert session.batches == [1, 2, 2, 1]
    assert kind.result()["y"].dtype == np.float64


@settings(deadline=None, max_examples=25)
@given(
    values=st.lists(st.integers(-1000, 1000), max_size=60),
    n_threads=st.integers(1, 3),
    provider=st.sampled_from(["CPUExecutionProvider", "CUDAExecutionProvider"]),
)
def test_n_samples_in_n_answers_out_in_order(values: list[int], n_threads: int, provider: str):
    with fake_device(n_threads=n_threads) as device:
        lane = warm_lane(device, FakeSession(provider=provider))
        tickets = [lane.submit(sample(value)) for value in values]

        assert answers(tickets) == [2.0 * value for value in values]


def test_a_real_graph_answers_through_a_lane(device: Device):
    session = OnnxSession(scale_graph(3.0), ref=ModelRef("s", "1", ""), share=fake_share())
    lane = Lane("real", session, device, max_queue=8)
    lane.warm()

    assert [lane.submit({"x": np.full(3, n, np.float32)}).result(WAIT_S)["y"].tolist() for n in range(3)] == [
        [0] * 3,
        [3] * 3,
        [6] * 3,
    ]


def test_timing_tells_the_wait_from_the_run(device: Device, clock: ManualClock):
    session = FakeSession()
    lane, first = held_lane(device, session)
    second = lane.submit(sample(1))
    clock.advance(0.5)
    session.release()
    answers([first, second])

    assert first.timing is not None
    assert (first.timing.wait_s, first.timing.infer_s, first.timing.n_batch) == (0.0, 0.5, 1)
    assert second.timing is not None
    assert (second.timing.queued_s, second.timing.wait_s, second.timing.infer_s) == (1000.0, 0.5, 0.0)


def test_wrong_inputs_are_refused_where_they_are_given(device: Device):
    lane = warm_lane(device)

    with pytest.raises(ValueError, match=r"lane t takes inputs \('x',\), got \('z',\)"):
        lane.submit({"z": np.zeros(1)})
    with pytest.raises(ValueError, match=r"got \('x', 'z'\)"):
        lane.submit({"x": np.zeros(1), "z": np.zeros(1)})


# ---- when


def test_company_is_awaited_no_longer_than_max_wait(device: Device, clock: ManualClock):
    session = FakeSession()
    lane = warm_lane(device, session, max_wait_s=5.0)
    tickets = [lane.submit(sample(n)) for n in range(3)]
    assert not any(ticket.done() for ticket in tickets)

    clock.advance(5.0)

    assert answers(tickets) == [0.0, 2.0, 4.0]
    assert session.batches == [4]


def test_a_full_batch_does_not_wait(device: Device):
    lane = warm_lane(device, max_wait_s=3600.0, ladder=(1, 2, 4))

    assert answers([lane.submit(sample(n)) for n in range(4)]) == [0.0, 2.0, 4.0, 6.0]


def test_by_the_machines_clock_a_lone_sample_leaves_by_itself():
    with fake_device(n_threads=2) as device:
        lane = warm_lane(device, max_wait_s=0.02)

        assert answers([lane.submit(sample(4))]) == [8.0]


def test_the_lane_that_is_overdue_longest_goes_first(device: Device, clock: ManualClock):
    order: list[str] = []

    def noting(name: str) -> FakeSession:
        return FakeSession(name, lambda batch: order.append(name) or {"y": batch["x"]})

    gate = FakeSession()
    held_lane(device, gate)
    patient = Lane("patient", noting("patient"), device, max_queue=8, max_wait_s=10.0)
    hasty = Lane("hasty", noting("hasty"), device, max_queue=8)
    for one in (patient, hasty):
        device.add(one)
        one._become(LaneState.READY, "")
    tickets = [patient.submit(sample(1))]
    clock.advance(1.0)
    tickets.append(hasty.submit(sample(1)))
    clock.advance(20.0)
    gate.release()
    for ticket in tickets:
        ticket.result(WAIT_S)

    assert order == ["hasty", "patient"]


def test_idle_threads_share_a_burst_on_a_cpu():
    with fake_device(n_threads=2) as device:
        session = FakeSession(provider="CPUExecutionProvider")
        lane = warm_lane(device, session)
        session.hold()
        first = [lane.submit(sample(n)) for n in range(2)]
        session.wait_entered()
        more = [lane.submit(sample(n)) for n in range(2)]
        session.wait_entered()
        session.release()

        assert answers([*first, *more]) == [0.0, 2.0, 0.0, 2.0]
        assert len(session.threads) == 2
        assert all(name.startswith("device-cpu-0.") for name in session.threads)


# ---- refusals


def test_a_full_queue_refuses_at_once(device: Device):
    session = FakeSession()
    lane, first = held_lane(device, session, max_queue=2)
    tickets = [lane.submit(sample(n)) for n in range(2)]

    with pytest.raises(Overloaded, match="lane t: 2 samples wait already") as caught:
        lane.submit(sample(9))
    session.release()

    assert caught.value.retry_after_s > 0
    assert answers([first, *tickets]) == [0.0, 0.0, 2.0]
    assert lane.statistics().n_rejected == 1


def test_a_sample_whose_deadline_passes_in_the_queue_never_runs(device: Device, clock: ManualClock):
    session = FakeSession()
    lane, first = held_lane(device, session)
    late = lane.submit(sample(1), deadline_s=clock.now_s() + 1.0)
    good = lane.submit(sample(2), deadline_s=clock.now_s() + 9.0)
    clock.advance(1.0)
    session.release()

    with pytest.raises(DeadlineExceeded, match="lane t: the deadline passed before the sample ran"):
        late.result(WAIT_S)
    assert answers([first, good]) == [0.0, 4.0]
    assert session.batches == [1, 1]
    assert lane.statistics().n_expired == 1


def test_a_deadline_ends_the_wait_for_company(device: Device, clock: ManualClock):
    lane = warm_lane(device, max_wait_s=3600.0)
    late = lane.submit(sample(1), deadline_s=clock.now_s() + 1.0)

    clock.advance(2.0)

    with pytest.raises(DeadlineExceeded):
        late.result(WAIT_S)


def test_a_deadline_already_passed_is_refused_at_once(device: Device, clock: ManualClock):
    lane = warm_lane(device)

    with pytest.raises(DeadlineExceeded, match=r"the deadline passed 0\.500 s before the sample came"):
        lane.submit(sample(1), deadline_s=clock.now_s() - 0.5)


def test_giving_up_leaves_the_queue(device: Device):
    session = FakeSession()
    lane, first = held_lane(device, session)
    bored = lane.submit(sample(1))

    with pytest.raises(DeadlineExceeded, match=r"no answer within 0\.001 s"):
        bored.result(0.001)
    session.release()

    assert answers([first]) == [0.0]
    assert bored.done()
    assert (lane.statistics().n_abandoned, session.batches) == (1, [1])


def test_giving_up_during_the_run_is_only_noted(device: Device):
    session = FakeSession()
    _, first = held_lane(device, session)

    with pytest.raises(DeadlineExceeded):
        first.result(0.001)
    session.release()

    assert answers([first]) == [0.0]


# ---- failures


def test_a_failed_batch_answers_everyone_and_the_lane_lives_on(device: Device):
    session = FakeSession(failures=[None, ValueError("bad tensor")])
    lane, _ = held_lane(device, session)
    doomed = [lane.submit(sample(n)) for n in range(3)]
    session.release()

    for ticket in doomed:
        with pytest.raises(ModelError, match="lane t: ValueError: bad tensor"):
            ticket.result(WAIT_S)
    assert answers([lane.submit(sample(5))]) == [10.0]
    assert lane.statistics().n_failed == 3


@pytest.mark.parametrize("failure", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_not_even_an_exit_kills_a_lane(device: Device, failure: BaseException):
    lane = warm_lane(device, FakeSession(failures=[failure]))

    with pytest.raises(ModelError):
        lane.submit(sample(1)).result(WAIT_S)
    assert answers([lane.submit(sample(1))]) == [2.0]


@pytest.mark.parametrize("wrong", [np.zeros((3, 1)), np.float32(1.0)])
def test_as_many_rows_out_as_in_or_nobody_gets_a_row(device: Device, wrong: np.ndarray):
    lane = warm_lane(device, FakeSession(compute=lambda _: {"y": np.asarray(wrong)}))

    with pytest.raises(ModelError, match=r"output y has shape .* for 1 samples"):
        lane.submit(sample(1)).result(WAIT_S)


def test_out_of_memory_halves_the_ladder_runs_again_and_climbs_back(device: Device, clock: ManualClock):
    session = FakeSession()
    metrics = device.metrics
    lane, _ = held_lane(device, session, ladder=(1, 2, 4, 8))
    session.oom_above = 4
    tickets = [lane.submit(sample(n)) for n in range(8)]
    session.release()

    assert answers(tickets) == [2.0 * n for n in range(8)]
    assert session.batches == [1, 8, 4, 4]
    lane_label = {"lane": "t"}
    assert metrics.value("livewarden_lane_oom_total", lane_label) == 1
    assert (lane.statistics().n_oom, lane.statistics().max_batch) == (1, 4)

    clock.advance(CLIMB_AFTER_S)
    assert answers([lane.submit(sample(1))]) == [2.0]
    assert lane.statistics().max_batch == 8


def test_out_of_memory_is_tried_again_once_only(device: Device):
    session = FakeSession()
    lane, _ = held_lane(device, session, ladder=(1, 2, 4, 8))
    session.oom_above = 3
    tickets = [lane.submit(sample(n)) for n in range(6)]
    session.release()

    with pytest.raises(ModelError, match="OutOfMemory"):
        tickets[0].result(WAIT_S)
    assert answers(tickets[4:]) == [8.0, 10.0]  # the second piece had 2 rows, which fit
    assert lane.statistics().max_batch <= 2


def test_a_lone_sample_out_of_memory_fails(device: Device):
    lane = warm_lane(device, FakeSession(failures=[MemoryError("host")]))

    with pytest.raises(ModelError, match="MemoryError: host"):
        lane.submit(sample(1)).result(WAIT_S)


def test_a_failing_callback_hurts_nobody_else(device: Device):
    session = FakeSession()
    lane, first = held_lane(device, session)
    second = lane.submit(sample(1))
    first.add_done_callback(lambda _: 1 / 0)
    called: list[Ticket] = []
    first.add_done_callback(called.append)
    session.release()

    assert answers([second]) == [2.0]
    assert called == [first]
    first.add_done_callback(called.append)
    assert called == [first, first]


# ---- asyncio


async def test_tickets_are_awaited_on_the_callers_loop():
    with fake_lane() as lane:
        tickets = [lane.submit(sample(n)) for n in range(40)]

        assert [float((await ticket)["y"][0]) for ticket in tickets] == [2.0 * n for n in range(40)]
        assert float((await tickets[0])["y"][0]) == 0.0


async def test_errors_reach_whoever_awaits(device: Device):
    lane = warm_lane(device, FakeSession(failures=[ValueError("no")]))

    with pytest.raises(ModelError):
        await lane.submit(sample(1))


async def test_one_batch_wakes_each_loop_once(device: Device, monkeypatch: pytest.MonkeyPatch):
    session = FakeSession()
    lane, first = held_lane(device, session)
    tickets = [lane.submit(sample(n)) for n in range(8)]
    loop = asyncio.get_running_loop()
    n_wakes = 0
    real = loop.call_soon_threadsafe

    def counting(*args: object, **kwargs: object) -> object:
        nonlocal n_wakes
        n_wakes += 1
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_soon_threadsafe", counting)

    async def one(ticket: Ticket) -> float:
        return float((await ticket)["y"][0])

    tasks = [asyncio.create_task(one(ticket)) for ticket in (first, *tickets)]
    await asyncio.sleep(0)
    session.release()

    assert await asyncio.gather(*tasks) == [0.0, *(2.0 * n for n in range(8))]
    assert n_wakes == 2  # two batches: the first sample, then the eight


async def test_a_cancelled_caller_leaves_the_queue(device: Device):
    session = FakeSession()
    lane, first = held_lane(device, session)
    bored = lane.submit(sample(1))

    async def wait() -> None:
        await bored

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    session.release()
    await first

    assert lane.statistics().n_abandoned == 1
    assert session.batches == [1]


async def test_a_cancelled_caller_takes_no_answer_from_another(device: Device):
    session = FakeSession()
    lane, _ = held_lane(device, session)
    shared = lane.submit(sample(3))

    async def wait() -> float:
        return float((await shared)["y"][0])

    stays, leaves = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    session.release()

    assert await stays == 6.0


def test_a_loop_that_closed_meanwhile_hurts_nobody(device: Device):
    session = FakeSession()
    lane, first = held_lane(device, session)
    loop = asyncio.new_event_loop()
    waiting = first.__await__()

    async def begin() -> None:
        next(waiting)

    loop.run_until_complete(begin())
    loop.close()
    session.release()

    assert answers([lane.submit(sample(1))]) == [2.0]
    assert first.done()
    with pytest.raises(RuntimeError, match="await wasn't used with future"):
        next(waiting)


# ---- life


def test_a_lane_takes_samples_only_when_warm(device: Device):
    session = FakeSession()
    lane = Lane("cold", session, device, max_queue=4, ladder=(1, 2, 4))
    with pytest.raises(NotReady, match="lane cold is cold: not warmed up yet"):
        lane.submit(sample(1))

    lane.warm()

    assert session.warmed == [1, 2, 4, 4]
    assert lane.ready
    assert repr(lane) == "Lane(cold, fake@1 on cpu-0, ready)"
    assert device.metrics.value("livewarden_lane_ready", {"lane": "cold"}) == 1


def test_a_model_that_fails_its_warm_up_is_out_of_service_with_the_reason(device: Device):
    session = FakeSession()
    session.oom_above = 2
    lane = Lane("big", session, device, max_queue=4)

    with pytest.raises(NotReady, match="lane big: warm-up failed: model fake@1: 4 rows do not fit, 2 do"):
        lane.warm()

    assert lane.statistics().state is LaneState.FAILED
    with pytest.raises(NotReady, match=r"lane big is failed: .*4 rows do not fit"):
        lane.submit(sample(1))


def test_a_model_that_does_not_fit_the_share_is_out_of_service():
    class Full:
        poll_s: float | None = None

        def used_bytes(self) -> int:
            return 1 << 60

    share = fake_share()
    device = Device(share, budget=MemoryBudget(share, Full()))
    lane = Lane("big", FakeSession(), device, max_queue=4)
    try:
        with pytest.raises(NotReady, match="model big does not fit cpu-0"):
            lane.warm()
        assert not lane.ready
    finally:
        device.close()


def test_closing_runs_what_waits_then_takes_no_more(device: Device):
    session = FakeSession()
    lane, first = held_lane(device, session, max_wait_s=0.0)
    tickets = [lane.submit(sample(n)) for n in range(3)]
    closing = threading.Thread(target=lane.close, kwargs={"timeout_s": WAIT_S})
    closing.start()
    session.release()
    closing.join()

    assert answers([first, *tickets]) == [0.0, 0.0, 2.0, 4.0]
    assert lane.statistics().state is LaneState.CLOSED
    with pytest.raises(NotReady, match="lane t is closed"):
        lane.submit(sample(1))
    lane.close()


def test_closing_does_not_wait_for_company(device: Device):
    lane = warm_lane(device, max_wait_s=3600.0)
    ticket = lane.submit(sample(2))

    lane.close(timeout_s=WAIT_S)

    assert answers([ticket]) == [4.0]


def test_closing_answers_even_those_a_hung_model_holds(device: Device):
    session = FakeSession()
    lane, stuck = held_lane(device, session)
    waiting = lane.submit(sample(1))

    lane.close(timeout_s=0.0)

    for ticket in (stuck, waiting):
        with pytest.raises(NotReady, match="lane t closed before this sample was scored"):
            ticket.result(WAIT_S)
    session.release()


def test_a_closed_device_ends_its_threads_and_refuses_work():
    before = set(threading.enumerate())
    with fake_device(n_threads=2) as device:
        lane = warm_lane(device)
        ticket = lane.submit(sample(1))
    alive = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("device-")]

    assert answers([ticket]) == [2.0]
    assert alive == []
    with pytest.raises(NotReady, match="device cpu-0 is closed"):
        device.call(lambda: None)


def test_a_hung_thread_is_left_behind_at_close_and_said_so(caplog: pytest.LogCaptureFixture):
    with fake_device() as device:
        session = FakeSession()
        held_lane(device, session)
        device.close(timeout_s=0.01)
        session.release()

    assert "an executor thread still runs a batch and is left behind" in caplog.text


def test_a_job_runs_on_the_device_thread_and_its_failure_is_its_callers(device: Device):
    assert device.call(lambda: threading.current_thread().name) == "device-cpu-0.0"
    with pytest.raises(ZeroDivisionError):
        device.call(lambda: 1 / 0)
    assert repr(device) == "Device(cpu-0, 1 threads, 0 lanes)"


def test_the_largest_batch_is_warmed_on_all_threads_at_once():
    together = threading.Barrier(3)

    class Meeting(FakeSession):
        def warm(self, n_rows: int) -> None:
            super().warm(n_rows)
            if n_rows == 2 and len(self.warmed) > 2:
                together.wait(WAIT_S)

    with fake_device(n_threads=3) as device:
        session = Meeting()
        Lane("t", session, device, max_queue=4, ladder=(1, 2)).warm()
        assert device.call_everywhere(lambda: None) is None

    assert sorted(session.warmed) == [1, 2, 2, 2, 2]
    with pytest.raises(NotReady, match="device cpu-0 is closed"):
        device.call_everywhere(lambda: None)


def test_executor_threads_yield_when_told():
    share = fake_share()
    device = Device(share, budget=MemoryBudget(share, None), nice=7)
    try:
        assert device.call(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) == 7
        assert os.getpriority(os.PRIO_PROCESS, 0) < 7
    finally:
        device.close()
    with pytest.raises(ConfigError, match=r"nice must be 0\.\.19, got -1"):
        Device(share, nice=-1)


def test_a_queue_needs_room(device: Device):
    with pytest.raises(ValueError, match="max_queue must be at least 1, got 0"):
        Lane("t", FakeSession(), device, max_queue=0)


def test_every_sample_is_counted_by_its_outcome(clock: ManualClock):
    metrics = Metrics()
    with fake_device(clock=clock, metrics=metrics) as device:
        session = FakeSession(failures=[None, ValueError("bad")])
        lane, first = held_lane(device, session, max_queue=2)
        expired = lane.submit(sample(1), deadline_s=clock.now_s() + 1)
        failed = lane.submit(sample(1))
        with pytest.raises(Overloaded):
            lane.submit(sample(1))
        clock.advance(2)
        session.release()
        for ticket in (expired, failed):
            with pytest.raises((DeadlineExceeded, ModelError)):
                ticket.result(WAIT_S)
        answers([first])
        lane.close()

    outcomes = {
        outcome: metrics.value("livewarden_lane_samples_total", {"lane": "t", "outcome": outcome})
        for outcome in ("scored", "expired", "failed", "rejected")
    }
    assert outcomes == {"scored": 1, "expired": 1, "failed": 1, "rejected": 1}
    assert metrics.value("livewarden_lane_batch_size_count", {"lane": "t"}) == 1
    assert metrics.value("livewarden_device_busy_seconds_total", {"device": "cpu-0"}) == 2


# ---- the doubles themselves


def test_a_fake_session_keeps_the_contract_it_stands_for():
    session = FakeSession(failures=[OutOfMemory("once")])

    with pytest.raises(OutOfMemory, match="once"):
        session.run({"x": np.zeros((2, 1))})
    assert session.run({"x": np.ones((2, 1))})["y"].tolist() == [[2.0], [2.0]]
    with pytest.raises(TimeoutError, match="no run of fake began"):
        [session.wait_entered(timeout_s=0.01) for _ in range(3)]


def test_a_manual_clock_moves_both_its_times_and_never_back(clock: ManualClock):
    before = clock.utc()
    clock.advance(1.5)

    assert clock.now_s() == 1001.5
    assert (clock.utc() - before).total_seconds() == 1.5
    with pytest.raises(ValueError, match="time does not go back, got -1"):
        clock.advance(-1)


def test_the_default_ladder_at_most_doubles():
    assert all(high <= 2 * low for low, high in itertools.pairwise(DEFAULT_LADDER))
