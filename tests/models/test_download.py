from __future__ import annotations

import pytest

from models.download import Downloader, Pin
from models.errors import ChecksumMismatch, ModelUnreachable
from tests.models.conftest import GRAPH, digest

QUICK = Downloader(n_tries=3, backoff_s=0.0)
PIN = Pin("file.whl", digest(GRAPH), len(GRAPH))


def test_a_broken_connection_goes_on_where_it_stopped(loopback, tmp_path):
    loopback.data = GRAPH
    loopback.break_after = [1000, 5000]
    told: list[int] = []

    path = QUICK.fetch(loopback.url, PIN, tmp_path, lambda _file, done, total: told.append(done))

    assert path.read_bytes() == GRAPH
    assert loopback.ranges == [None, "bytes=1000-", "bytes=6000-"]
    assert told == sorted(told)
    assert told[-1] == len(GRAPH)
    assert not list(tmp_path.glob("*.part"))


def test_a_later_run_goes_on_where_a_killed_one_stopped(loopback, tmp_path):
    loopback.data = GRAPH
    (tmp_path / "file.whl.part").write_bytes(GRAPH[:70_000])

    path = QUICK.fetch(loopback.url, PIN, tmp_path)

    assert path.read_bytes() == GRAPH
    assert loopback.ranges == ["bytes=70000-"]


def test_a_part_that_is_whole_needs_no_request(loopback, tmp_path):
    (tmp_path / "file.whl.part").write_bytes(GRAPH)

    assert QUICK.fetch(loopback.url, PIN, tmp_path).read_bytes() == GRAPH
    assert loopback.ranges == []


def test_a_server_without_ranges_is_fetched_from_the_start(loopback, tmp_path):
    loopback.data = GRAPH
    loopback.honours_ranges = False
    (tmp_path / "file.whl.part").write_bytes(GRAPH[:10])

    assert QUICK.fetch(loopback.url, PIN, tmp_path).read_bytes() == GRAPH


def test_a_part_of_another_file_is_thrown_away_and_fetched_whole(loopback, tmp_path):
    loopback.data = GRAPH
    (tmp_path / "file.whl.part").write_bytes(b"another file" * 10)

    assert QUICK.fetch(loopback.url, PIN, tmp_path).read_bytes() == GRAPH
    assert loopback.ranges == ["bytes=120-", None]


def test_a_changed_file_is_refused_and_not_kept(loopback, tmp_path):
    loopback.data = bytes([GRAPH[0] ^ 1]) + GRAPH[1:]

    with pytest.raises(ChecksumMismatch) as caught:
        QUICK.fetch(loopback.url, PIN, tmp_path)

    assert caught.value.expected == PIN.sha256
    assert caught.value.got == digest(loopback.data)
    assert PIN.sha256 in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_longer_than_pinned_is_not_read_to_its_end(loopback, tmp_path):
    loopback.data = GRAPH * 40
    told: list[int] = []

    with pytest.raises(ChecksumMismatch):
        QUICK.fetch(loopback.url, PIN, tmp_path, lambda _file, done, _total: told.append(done))
    assert all(done <= len(GRAPH) for done in told)


def test_a_server_that_never_gives_a_byte_is_given_up_and_what_came_is_kept(loopback, tmp_path):
    loopback.data = GRAPH
    loopback.break_after = [1000, 0, 0, 0, 0]

    with pytest.raises(ModelUnreachable, match=r"cannot fetch file.whl from 127.0.0.1: .*1000 bytes are kept, repeat to go on"):
        QUICK.fetch(loopback.url, PIN, tmp_path)
    assert (tmp_path / "file.whl.part").read_bytes() == GRAPH[:1000]


@pytest.mark.parametrize(("status", "n_requests"), [(404, 1), (403, 1), (503, 3)])
def test_a_refusal_is_final_and_a_server_error_is_tried_again(loopback, tmp_path, status, n_requests):
    loopback.status = status

    with pytest.raises(ModelUnreachable, match=str(status)):
        QUICK.fetch(loopback.url, PIN, tmp_path)
    assert len(loopback.ranges) == n_requests


def test_nobody_at_the_address_is_said_in_one_line(tmp_path):
    with pytest.raises(ModelUnreachable, match=r"cannot fetch file.whl from 127.0.0.1: ConnectError"):
        QUICK.fetch("http://127.0.0.1:9/file.whl", PIN, tmp_path)
