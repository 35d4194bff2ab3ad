from __future__ import annotations

from streams.quarantine import CLEAR_AFTER_S, LONGEST_PAUSE_S, MEMORY_S, Record


def test_one_death_is_forgiven_and_two_are_not():
    record = Record()

    assert not record.strike(now_s=0.0)
    assert record.strike(now_s=1.0)
    assert record.is_apart
    assert record.not_before_s == 3.0


def test_an_old_strike_is_forgotten():
    record = Record()
    record.strike(now_s=0.0)

    assert not record.strike(now_s=MEMORY_S)


def test_deaths_alone_make_the_pauses_grow():
    record = Record()
    record.strike(now_s=0.0)
    pauses = []
    for at in range(1, 14):
        record.strike(now_s=float(at))
        pauses.append(record.not_before_s - at)

    assert pauses[:4] == [2.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_quiet_time_alone_clears_it():
    record = Record()
    record.strike(now_s=0.0)
    record.strike(now_s=1.0)
    assert not record.is_clear(now_s=1e6)
    record.alone_since_s = 10.0

    assert not record.is_clear(now_s=10.0 + CLEAR_AFTER_S - 0.1)
    assert record.is_clear(now_s=10.0 + CLEAR_AFTER_S)

    record.acquit()
    assert not record.is_apart
    assert not record.strike(now_s=200.0)
