"""The gallery over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import httpx
import pytest
from fastapi import FastAPI

from inference.api_gallery import gallery_routes
from inference.problems import install_problem_handlers
from inference.samples import Pixels
from tests.inference.samples_maker import scenery
from tests.inference.vision.gallery_maker import BOARD, LABEL, Gallery, levels


def jpeg(pixels: Pixels) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def files(pictures: list[Pixels], field: str = "file") -> list[tuple[str, tuple[str, bytes, str]]]:
    return [(field, (f"{index}.jpg", jpeg(one), "image/jpeg")) for index, one in enumerate(pictures)]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_problem_handlers(app)
    app.include_router(gallery_routes(lambda: Gallery(tmp_path).desk))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gallery") as client:
        yield client


async def test_a_title_is_taught_with_counter_examples_shown_and_removed(client: httpx.AsyncClient) -> None:
    asked = {"label": LABEL, "title": "棋牌之夜", "alias": ["Board Night", "BN 棋牌"], "ends_at": "2027-01-01T00:00:00Z"}

    post = await client.post(
        "/v1/gallery/board", params=asked, files=files(levels(BOARD, (0, 4, 8))) + files([scenery(1)], field="not")
    )
    listed = (await client.get("/v1/gallery")).json()["gallery"]
    picture = await client.get(listed[0]["pictures"][2])
    removed = await client.delete("/v1/gallery/board")

    assert post.status_code == 200
    assert any("3 different pictures" in note for note in post.json()["notes"])
    assert (listed[0]["title"], listed[0]["aliases"], listed[0]["n_against"]) == ("棋牌之夜", ["Board Night", "BN 棋牌"], 1)
    assert picture.content.startswith(b"\xff\xd8")
    assert removed.status_code == 204
    assert (await client.get("/v1/gallery")).json() == {"gallery": []}
    assert (await client.post("/v1/gallery/board/rollback", params={"version": 1})).json()["version"] == 1


async def test_a_picture_of_a_version_that_is_not_in_force_any_more_can_still_be_shown(client: httpx.AsyncClient) -> None:
    for seed in (0, 4):
        await client.post("/v1/gallery/board", params={"label": LABEL}, files=files(levels(BOARD, (seed,))))
    picture = "/v1/gallery/board/pictures/0.jpg"

    first, second, live = [(await client.get(picture + query)).content for query in ("?version=1", "?version=2", "")]
    await client.delete("/v1/gallery/board")

    assert first != second
    assert live == second
    assert (await client.get(f"{picture}?version=1")).content == first
    gone = await client.get(f"{picture}?version=7")
    assert gone.status_code == 404
    assert "no version 7 of gallery entry 'board'; on disk: 1, 2" in gone.json()["detail"]


async def test_one_picture_may_be_the_whole_body(client: httpx.AsyncClient) -> None:
    post = await client.post(
        "/v1/gallery/bad",
        params={"label": "custom.image", "exact": True},
        content=jpeg(scenery(3)),
        headers={"Content-Type": "image/jpeg"},
    )
    assert (post.status_code, post.json()["exact"], post.json()["notes"]) == (200, True, [])


@pytest.mark.parametrize(
    ("params", "body", "status", "problem"),
    [
        ({"label": LABEL}, b"GIF89a no picture", 422, "picture 1: the picture is a GIF, animated or not; send JPEG"),
        ({"label": LABEL}, bytes(20_000_001), 413, "body of 20000001 bytes; at most 20000000"),
        ({}, b"", 422, "label"),
        ({"label": "nothing.such"}, jpeg(scenery(3)), 422, "nothing.such"),
        ({"label": LABEL, "colour": "red"}, jpeg(scenery(3)), 422, "colour"),
    ],
)
async def test_what_cannot_be_taught_gets_a_clear_answer(
    client: httpx.AsyncClient, params: dict[str, str], body: bytes, status: int, problem: str
) -> None:
    answer = await client.post("/v1/gallery/board", params=params, content=body, headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == status
    assert problem in answer.text


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/gallery/board")).status_code == 404
    assert (await client.delete("/v1/gallery/board")).status_code == 404
    await client.post("/v1/gallery/board", params={"label": LABEL}, files=files(levels(BOARD, (0,))))
    assert (await client.get("/v1/gallery/board/pictures/entry.json")).status_code == 404


async def test_two_gigabytes_are_refused_unread(client: httpx.AsyncClient) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was asked for")
        yield b""

    headers = {"Content-Type": "image/png", "Content-Length": str(2 << 30)}
    answer = await client.post("/v1/gallery/board", params={"label": LABEL}, content=never(), headers=headers)
    assert answer.status_code == 413
    assert "body of 2147483648 bytes; at most 20000000, send fewer or smaller pictures" in answer.json()["detail"]


async def test_a_body_that_does_not_say_how_long_it_is_ends_at_the_limit(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(1_000_000)

    answer = await client.post(
        "/v1/gallery/board", params={"label": LABEL}, content=chunks(), headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 413
    assert "body of more than 20000000 bytes; send a smaller one" in answer.json()["detail"]


async def test_a_counter_example_that_is_no_picture_is_named_as_one(client: httpx.AsyncClient) -> None:
    sent = [*files(levels(BOARD, (0,))), ("not", ("text.png", b"just text", "image/png"))]
    answer = await client.post("/v1/gallery/board", params={"label": LABEL}, files=sent)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("counter-example 1: unknown picture type, first bytes 6a 75 73 74")
