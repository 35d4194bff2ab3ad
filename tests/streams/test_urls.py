from __future__ import annotations

import pytest

from streams.urls import MAX_URL_CHARS, StreamUrl, UrlPolicy, UrlRefused

OPEN = UrlPolicy()


def test_a_url_never_shows_its_secrets():
    url = StreamUrl.parse("rtmp://user:pass@Live.Example/app/key?sign=x", OPEN)

    assert repr(url) == "StreamUrl(rtmp://live.example/***)"
    assert str(url) == f"{url}" == url.masked == "rtmp://live.example/***"
    assert url.reveal() == "rtmp://user:pass@Live.Example/app/key?sign=x"


def test_a_port_of_its_own_is_shown_and_a_usual_one_is_not():
    assert StreamUrl.parse("http://a.example:8080/x", OPEN).masked == "http://a.example:8080/***"
    assert StreamUrl.parse("https://a.example:443/x", OPEN).masked == "https://a.example/***"
    assert StreamUrl.parse("rtsp://[2606:4700::1]:8554/x", OPEN).masked == "rtsp://[2606:4700::1]:8554/***"


@pytest.mark.parametrize(
    "text",
    ["file:///etc/passwd", "/etc/passwd", "concat:a|b", "ftp://a.example/x", "data:text/plain,x", "subfile,,start,0:x", "", "http:///x",
     "http://a.example:99999/x", "http://[::1/x", "http://a.example/" + "x" * MAX_URL_CHARS, "http://a.example/\r\nHost: b", "gopher://x"],
)  # fmt: skip
def test_what_is_no_network_address_is_refused(text):
    with pytest.raises(UrlRefused):
        StreamUrl.parse(text, OPEN)


@pytest.mark.parametrize("text", ["/videos/a b.mp4", "file:///videos/a.mp4", "clip.mp4"])
def test_files_are_for_who_allows_them(text):
    url = StreamUrl.parse(text, UrlPolicy(allow_files=True))

    assert url.is_file
    assert not url.reveal().startswith("file:")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "[::1]", "[fe80::1]", "[fd00:ec2::254]", "0.0.0.0",
     "224.0.0.1", "100.100.100.200", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "100.64.0.1"],
)  # fmt: skip
def test_addresses_inside_are_refused_by_default(host):
    with pytest.raises(UrlRefused):
        StreamUrl.parse(f"http://{host}/x", OPEN)


def test_private_addresses_can_be_allowed_but_metadata_never():
    inside = UrlPolicy(allow_private=True)

    assert StreamUrl.parse("http://10.0.0.1/x", inside).host == "10.0.0.1"
    assert StreamUrl.parse("http://127.0.0.1/x", inside).host == "127.0.0.1"
    for host in ("169.254.169.254", "100.100.100.200", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"):
        with pytest.raises(UrlRefused, match="never opened"):
            StreamUrl.parse(f"http://{host}/x", inside)


def test_loopback_can_be_allowed_alone():
    loopback = UrlPolicy(allow_loopback=True)

    assert StreamUrl.parse("http://127.0.0.1:8000/x", loopback).port == 8000
    with pytest.raises(UrlRefused, match="not public"):
        StreamUrl.parse("http://10.0.0.1/x", loopback)


def test_hosts_outside_the_list_are_refused():
    policy = UrlPolicy(allowed_hosts=("*.live.example.com", "cdn.example.net"))

    assert StreamUrl.parse("https://A.Live.Example.com/x", policy).host == "a.live.example.com"
    with pytest.raises(UrlRefused, match="not among the allowed hosts"):
        StreamUrl.parse("https://live.example.com.evil.net/x", policy)


def test_a_name_that_points_inside_is_refused_when_resolved():
    with pytest.raises(UrlRefused, match="not public"):
        OPEN.addresses("innocent.example", 80, resolver=lambda host, port: ["93.184.216.34", "10.0.0.7"])

    assert OPEN.addresses("innocent.example", 80, resolver=lambda host, port: ["93.184.216.34"]) == ["93.184.216.34"]
