"""`livewarden api` and `livewarden worker` with a real broker between them: rooms in by Kafka or HTTP, violations out on both."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import cv2
import msgspec
import pytest
from kafka import KafkaProducer

from streams import demo_scenes
from streams.alerts import Topic
from streams.demo_broadcast import encode
from streams.kafka import client_options, open_client
from tests.conftest import require
from tests.e2e.processes import Up, until
from tests.kafka_broker import KafkaBroker, fetch_jars
from tests.live_server import FlvShow, LiveServer

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

CODE = "ads.qr_code"


class Role(Up):
    """One role of the cluster, without public models: QR codes are found without any."""

    def __init__(self, role, folder, broker, **sections):
        folder.mkdir()
        kafka = {"bootstrap_servers": [broker.address], "partitions": 3, "row_deadline_s": 4.0}
        super().__init__(
            folder, folder / "models", kafka=kafka, worker_id=role, device={"provider": "cpu", "threads": 1}, **sections
        )
        self._role = role

    def start(self):
        with self._log_path.open("ab") as log:
            command = [sys.executable, "-m", "streams.start", self._role, "-c", str(self._config)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        """End supervisor and server as a power cut would."""
        server = self.server_pid()
        self._process.kill()
        with contextlib.suppress(ProcessLookupError):  # it dies with its supervisor
            os.kill(server, signal.SIGKILL)
        self._process.wait(10)


@pytest.fixture(scope="module")
def show():
    """A live room on loopback with a QR code on its picture."""
    game, code = demo_scenes.Game(5), demo_scenes.qr_code(demo_scenes.QR_PAYLOAD, side_px=190, x=1040, y=60)
    with LiveServer() as server:
        yield server.serve("/live/coded.flv", FlvShow(encode(lambda index: game.frame(index, code), seconds=4)))


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker of this module's own: what its roles write is nothing that other tests expect."""
    missing = fetch_jars()
    require(missing is None, missing or "")
    broker = KafkaBroker(tmp_path_factory.mktemp("cluster-kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, broker):
    """A worker and an API that know of each other through Kafka only."""
    folder = tmp_path_factory.mktemp("cluster")
    worker = Role("worker", folder / "worker", broker)
    api = Role("api", folder / "api", broker, evidence={"uri": str(folder / "worker" / "data" / "evidence")})
    worker._config.write_text(worker._config.read_text() + f"advertise_url: http://127.0.0.1:{worker.port}\n")
    try:
        worker.start()
        api.start()
        worker.wait_ready()
        api.wait_ready()
        yield worker, api
        assert (api.stop(), worker.stop()) == (0, 0), api.log() + worker.log()
    finally:
        api.close()
        worker.close()


@pytest.fixture
def produce(broker):
    """Writes messages as a platform's own producer would."""
    producer = open_client(KafkaProducer, **client_options(broker.settings()))

    def send(topic, key, value):
        producer.send(topic, key=key.encode(), value=value).get(timeout=10)

    yield send
    producer.close()


def is_there(role, room_id):
    return role.http.get(f"/v1/rooms/{room_id}").status_code == 200


def test_a_room_put_at_the_api_is_watched_by_the_worker_and_its_violation_is_seen_at_the_api(cluster, show):
    worker, api = cluster

    api.watch("by-http", show, pass_through={"ticket": 4})
    found = api.found("by-http", CODE)

    assert found["pass_through"] == {"ticket": 4}
    assert found["violation_id"] == worker.found("by-http", CODE)["violation_id"]
    still = api.http.get(f"/v1/violations/{found['violation_id']}/evidence/{found['evidence']['frames'][0]['n']}")
    assert still.status_code == 200
    assert still.headers["content-type"] == "image/jpeg"
    seen = until(lambda: (room := api.room("by-http"))["watching"] and room, within_s=30, what="the API hears that it is watched")
    assert (seen["worker"], seen["mode"], seen["state"]) == ("worker", "pull", "live")

    assert api.http.delete("/v1/rooms/by-http").status_code == 204
    assert api.http.get("/v1/rooms/by-http").status_code == 404
    until(lambda: not is_there(worker, "by-http"), within_s=30, what="the worker stops")
    closed = until(lambda: (one := api.found("by-http", CODE))["state"] == "closed" and one, within_s=30, what="closed at the API")
    assert closed["violation_id"] == found["violation_id"]


def test_a_room_in_the_topic_is_watched_until_its_tombstone_and_garbage_becomes_a_dead_letter(cluster, produce, broker, show):
    worker, _ = cluster

    produce(Topic.ROOMS, "by-kafka", msgspec.json.encode({"source": show, "biz": "game"}))
    produce(Topic.ROOMS, "garbage", b"\xff no json")
    produce(Topic.ROOMS, "no-policy", msgspec.json.encode({"biz": "game", "policy": "none-of-ours"}))

    worker.found("by-kafka", CODE)
    letters = until(
        lambda: (
            (found := {one.key: msgspec.json.decode(one.value) for one in broker.consume(Topic.DEAD)}).keys()
            >= {"garbage", "no-policy"}
            and found
        ),
        within_s=30,
        what="two dead letters",
    )
    assert "no JSON" in letters["garbage"]["reason"]
    assert "none-of-ours" in letters["no-policy"]["reason"]
    assert not is_there(worker, "garbage")

    produce(Topic.ROOMS, "by-kafka", None)
    until(lambda: not is_there(worker, "by-kafka"), within_s=30, what="the worker stops")


def test_media_pushed_at_the_api_reach_the_worker_and_a_review_retracts_there(cluster):
    worker, api = cluster
    frame = demo_scenes.Game(6).frame(3)
    demo_scenes.qr_code(demo_scenes.QR_PAYLOAD, side_px=190, x=1040, y=60).over(frame)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def push(**params):
        answer = api.http.post(
            "/v1/rooms/pushed/frames", params=params, content=jpeg.tobytes(), headers={"Content-Type": "image/jpeg"}
        )
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1
        answer.raise_for_status()
        return answer.json()["frames"][0]

    assert (
        api.http.post("/v1/rooms/nobody/frames", content=jpeg.tobytes(), headers={"Content-Type": "image/jpeg"}).status_code == 404
    )
    api.watch("pushed", None)
    first = until(lambda: push(wait="true"), within_s=60, what="a worker takes the push")
    assert [one["qr"] for one in first["verdict"]["findings"]] == [demo_scenes.QR_PAYLOAD]
    lines = api.http.post("/v1/rooms/pushed/danmaku", json={"lines": [{"text": "加薇❤❤abc8421"}]})
    assert lines.json()["results"][0]["label"] == "ads.contact"

    violation = until(lambda: push() and api.violations("pushed", CODE), within_s=60, what="the violation at the API")[0]
    path = f"/v1/violations/{violation['violation_id']}/review"
    assert api.http.post(path, json={"action": "overturn", "reviewer": "ann"}).status_code == 200
    until(lambda: worker.violations("pushed", CODE)[0]["state"] == "retracted", within_s=30, what="retracted at the worker")
    until(lambda: api.violations("pushed", CODE)[0]["state"] == "retracted", within_s=30, what="retracted at the API")
    assert worker.violations("pushed", CODE)[0]["review"] == {"action": "overturn", "label": None}


def rooms_of(*workers):
    """Ids of the rooms that workers watch, those of all of them in one list."""
    return sorted(room["room_id"] for worker in workers for room in worker.get("/v1/rooms")["rooms"])


def test_workers_share_the_rooms_and_those_of_a_killed_one_move(cluster, produce, broker, tmp_path):
    first, _ = cluster
    names = [f"shared-{n:02d}" for n in range(12)]
    for name in names:
        produce(Topic.ROOMS, name, b"{}")
    until(lambda: set(names) <= set(rooms_of(first)), within_s=30, what="one worker has all rooms")
    everything = rooms_of(first)
    second = Role("worker", tmp_path / "second", broker)
    try:
        second.start()
        second.wait_ready()
        until(lambda: rooms_of(second) and rooms_of(first, second) == everything, within_s=60, what="each room has one worker")

        second.kill()
        until(lambda: rooms_of(first) == everything, within_s=60, what="the first has all rooms again")
    finally:
        second.close()
        for name in names:
            produce(Topic.ROOMS, name, None)
    until(lambda: not set(names) & set(rooms_of(first)), within_s=30, what="the rooms are stopped")


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_role_without_a_broker_says_so_and_ends(tmp_path, role):
    ended = subprocess.run(
        [sys.executable, "-m", "streams.start", role],
        env={"LIVEWARDEN_DATA_DIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        timeout=60,
    )

    assert ended.returncode == 2
    assert ended.stderr.decode().strip().endswith("set kafka.bootstrap_servers, or run `livewarden up`")
