"""An address of Redis is checked where it is written, and shows neither user nor password."""

from __future__ import annotations

import pytest

from inference.errors import ConfigError
from inference.text.redis_address import RedisAddress


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://redis.internal", "redis://redis.internal:6379/***"),
        ("redis://redis.internal:7000/3", "redis://redis.internal:7000/***"),
        ("rediss://user:s3cret@10.0.0.1:6380/0?password=s3cret", "rediss://10.0.0.1:6380/***"),
        ("redis://:p%40ss@[::1]:6379", "redis://[::1]:6379/***"),
        ("unix:///run/redis.sock?db=1&password=s3cret", "unix:///run/redis.sock"),
    ],
)
def test_an_address_shows_where_and_not_how(url: str, shown: str):
    address = RedisAddress(url)

    assert (str(address), repr(address), address.url) == (shown, f"RedisAddress({shown})", url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "http://user:s3cret@host",
        "redis://",
        "redis://:s3cret@",
        "unix://",
        "redis://u:s3/cret@host",
        "redis://[s3cret",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str):
    with pytest.raises(ConfigError, match="redis_url") as refused:
        RedisAddress(url)
    assert "s3" not in str(refused.value)


def test_messages_lose_the_secrets_of_the_address():
    address = RedisAddress("redis://watcher:p%40ss@host:6379/0")

    assert address.hide("no watcher with p@ss or p%40ss at redis://watcher:p%40ss@host:6379/0") == (
        "no *** with *** or *** at redis://***:***@host:6379/0"
    )
