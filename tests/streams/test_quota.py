"""The hourly quota of blocks, label by label."""

from streams.quota import HOUR_S, HourlyQuota


def test_a_label_has_its_own_number_of_blocks_an_hour():
    quota = HourlyQuota()

    assert [quota.spend("ads.qr_code", 2, pts_s=pts_s) for pts_s in (0.0, 1.0, 2.0)] == [True, True, False]
    assert quota.spend("ads.url", 2, pts_s=2.0)


def test_what_is_refused_is_not_counted():
    quota = HourlyQuota()
    for pts_s in (0.0, 10.0, 20.0):
        quota.spend("ads.qr_code", 1, pts_s=pts_s)

    assert quota.blocks == {"ads.qr_code": [0.0]}


def test_a_block_counts_for_one_hour():
    quota = HourlyQuota()
    quota.spend("ads.qr_code", 1, pts_s=0.0)

    assert not quota.spend("ads.qr_code", 1, pts_s=HOUR_S - 0.1)
    assert quota.spend("ads.qr_code", 1, pts_s=HOUR_S)


def test_no_quota_is_no_bound_and_keeps_nothing_and_none_at_all_is_a_bound():
    quota = HourlyQuota()

    assert all(quota.spend("ads.qr_code", None, pts_s=0.0) for _ in range(1000))
    assert quota.blocks == {}
    assert not quota.spend("ads.url", 0, pts_s=0.0)
