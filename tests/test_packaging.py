"""What the wheel holds: the three packages with their data files, and nothing else at the top level."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA_FILES = {
    "models/taxonomy.yaml",
    "models/zoo.yaml",
    "models/shipped_models/speech-units/manifest.yaml",
    "models/shipped_models/speech-units/units.onnx",
    "models/shipped_models/text-classifier/text.onnx",
    "models/shipped_models/text-classifier/manifest.yaml",
    "models/shipped_models/image-embedding/image.onnx",
    "models/shipped_models/image-embedding/ordinary.npy",
    "inference/default_policy.yaml",
    "inference/text/base_lexicon.csv",
    "inference/text/ordinary_danmaku.txt",
    "inference/text/tables/evidence.tsv",
    "inference/text/tables/pairs.tsv.gz",
    "inference/text/tables/shapes.tsv.gz",
    "streams/console/index.html",
    "streams/console/console.js",
    "streams/console/console.css",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> set[str]:
    """Names of the files in a wheel built from this checkout, without an index."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_data_files_travel_in_the_wheel(wheel):
    assert wheel >= DATA_FILES


def test_every_schema_travels_in_the_wheel(wheel):
    schemas = {path.relative_to(ROOT).as_posix() for path in (ROOT / "streams" / "schemas").glob("*.json")}

    assert schemas
    assert wheel >= schemas


def test_every_module_travels_in_the_wheel(wheel):
    floors = ("models", "inference", "streams")
    ours = {path.relative_to(ROOT).as_posix() for floor in floors for path in (ROOT / floor).rglob("*.py")}

    assert ours - wheel == set()


def test_nothing_else_is_at_the_top_level(wheel):
    tops = {name.partition("/")[0] for name in wheel}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"models", "inference", "streams"}


def test_caches_and_private_files_stay_out(wheel):
    assert [name for name in wheel if "__pycache__" in name or name.endswith((".pyc", ".env", ".db", ".onnx.part"))] == []


def test_licence_and_notice_travel_in_the_wheel(wheel):
    names = {name.rpartition("/")[2] for name in wheel if ".dist-info/" in name}

    assert {"LICENSE", "NOTICE"} <= names


@pytest.mark.parametrize("name", ["serving", "dev", "bench"])
def test_every_locked_version_has_a_hash_and_no_address(name):
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=\S)", text.strip())

    assert "://" not in text
    assert [block.splitlines()[0] for block in blocks if "==" not in block or "--hash=sha256:" not in block] == []


def test_the_lock_names_every_direct_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    locked = {line.partition("==")[0] for line in (ROOT / "requirements" / "serving.lock").read_text().splitlines() if "==" in line}
    direct = {re.split(r"[<>=!~; \[]", requirement)[0].lower() for requirement in project["project"]["dependencies"]}

    assert direct - locked == set()
