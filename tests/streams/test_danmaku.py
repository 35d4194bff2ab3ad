from streams.danmaku import LONG_S, MAX_RISK, MIN_LINES, DanmakuPulse


def steady(pulse: DanmakuPulse, *, lines_per_s: int, start_s: int, end_s: int) -> None:
    for second in range(start_s, end_s):
        pulse.add(lines_per_s, now_s=second + 0.5)


def test_usual_pulse_is_no_risk():
    pulse = DanmakuPulse()
    steady(pulse, lines_per_s=5, start_s=0, end_s=100)
    assert pulse.risk(now_s=100.0) == 1.0


def test_spike_raises_the_risk_and_it_fades():
    pulse = DanmakuPulse()
    steady(pulse, lines_per_s=2, start_s=0, end_s=90)
    steady(pulse, lines_per_s=12, start_s=90, end_s=100)

    assert 2.0 < pulse.risk(now_s=100.0) <= MAX_RISK
    assert pulse.risk(now_s=115.0) == 1.0


def test_few_lines_are_no_spike_however_quiet_it_was():
    pulse = DanmakuPulse()
    pulse.add(1, now_s=0.0)
    pulse.add(MIN_LINES - 1, now_s=99.0)
    assert pulse.risk(now_s=100.0) == 1.0


def test_room_without_a_past_has_no_spike():
    pulse = DanmakuPulse()
    pulse.add(500, now_s=3.0)
    assert pulse.risk(now_s=4.0) == 1.0
    assert DanmakuPulse().risk(now_s=4.0) == 1.0


def test_flood_is_bounded_in_risk_and_memory():
    pulse = DanmakuPulse()
    steady(pulse, lines_per_s=1, start_s=0, end_s=1000)
    pulse.add(1_000_000, now_s=1000.0)
    assert pulse.risk(now_s=1000.5) == MAX_RISK
    assert len(pulse._seconds) <= LONG_S
