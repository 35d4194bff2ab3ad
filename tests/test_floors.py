"""The floor plan of the house: who may import whom, which third party lives where, and how long a module may be.

Imports are read from the source, so a lazy one inside a function counts like one at the top.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("models", "inference", "streams")
"""Lowest first; a floor imports from itself and from those below it."""

MAX_LINES = 420

TORCH_HOMES = (
    "models/networks/*",
    "models/data.py",
    "models/train.py",
    "models/evaluate.py",
    "models/export.py",
    "models/train_image.py",
    "models/export_image.py",
)
"""Training code: the only place of torch, and never imported by what serves."""

HTTP_HOMES = (
    "*/api.py",
    "*/api_*.py",
    "*/suggest_api.py",
    "*/schemas.py",
    "*/problems.py",
    "*/auth.py",
    "streams/push.py",
    "streams/danmaku.py",
    "streams/serve.py",
)
SETTINGS_HOMES = ("*/settings.py", "*_settings.py")

LIVES_IN: dict[str, tuple[str, ...]] = {
    "torch": TORCH_HOMES,
    "onnx": TORCH_HOMES,
    "tensorboard": TORCH_HOMES,
    "onnxruntime": ("inference/sessions.py",),
    "av": (
        "streams/sources.py",
        "streams/decode.py",
        "streams/sound_child.py",
        "streams/demo_broadcast.py",
        "streams/demo_sounds.py",
    ),
    "kafka": ("streams/kafka.py", "streams/kafka_reader.py"),
    "redis": ("inference/text/redis_link.py",),
    "sherpa_onnx": ("inference/speech/sherpa.py",),
    "re2": ("inference/text/regexes.py",),
    "fastapi": HTTP_HOMES,
    "starlette": HTTP_HOMES,
    "pydantic": HTTP_HOMES + SETTINGS_HOMES,
    "pydantic_settings": SETTINGS_HOMES,
    "typer": ("*/cli.py", "*/*_cli.py", "inference/printing.py"),
}
"""Third party -> the only modules that may import it."""


@dataclass(frozen=True, slots=True)
class Import:
    """One module name that a source file asks for."""

    path: str
    """File, relative to the root."""
    line: int
    module: str
    """Absolute dotted name; relative imports are resolved."""
    lazy: bool
    """Inside a function, so it is not run when the file is imported."""

    @property
    def top(self) -> str:
        """First part of the name: the distribution's import package."""
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def modules(root: Path) -> list[Path]:
    """Return every Python file of the three floors."""
    return sorted(path for floor in FLOORS for path in (root / floor).rglob("*.py"))


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    """Yield every import of a file, `import_module("x")` and `__import__("x")` included."""
    relative = path.relative_to(root)
    package = list(relative.parts[:-1])
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    lazy = {
        child
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.walk(function)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{stem}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            names = [str(node.args[0].value)] if called in {"import_module", "__import__"} else []
        for name in names:
            yield Import(relative.as_posix(), node.lineno, name, node in lazy)


def every_import(root: Path) -> list[Import]:
    """Return every import of every module of the floors."""
    return [found for path in modules(root) for found in imports_of(path, root)]


def is_home(path: str, homes: Sequence[str]) -> bool:
    """Tell whether a file is one of the named homes."""
    return any(fnmatch(path, home) for home in homes)


def upward(root: Path) -> list[str]:
    """Imports that go up a floor."""
    return [
        str(found)
        for found in every_import(root)
        if found.top in FLOORS and FLOORS.index(found.top) > FLOORS.index(found.path.partition("/")[0])
    ]


def strays(root: Path) -> list[str]:
    """Third parties outside their homes."""
    return [str(found) for found in every_import(root) if found.top in LIVES_IN and not is_home(found.path, LIVES_IN[found.top])]


def training_in_serving(root: Path) -> list[str]:
    """Serving modules that load training code; the command line may, inside the command."""
    found_in: list[str] = []
    for found in every_import(root):
        target = found.module.replace(".", "/")
        trains = any(is_home(name, TORCH_HOMES) for name in (f"{target}.py", f"{target.rpartition('/')[0]}.py", target))
        allowed = is_home(found.path, TORCH_HOMES) or (found.lazy and found.path in ("models/cli.py", "models/training_cli.py"))
        if trains and found.top == "models" and not allowed:
            found_in.append(str(found))
    return found_in


def too_long(root: Path) -> list[str]:
    """Modules that hold more than one noun, by their length."""
    counts = ((path, len(path.read_text(encoding="utf-8").splitlines())) for path in modules(root))
    return [f"{path.relative_to(root)}: {n_lines} lines" for path, n_lines in counts if n_lines > MAX_LINES]


def other_packages(root: Path) -> list[str]:
    """Import packages and modules at the top level that are none of the floors, tests or benchmarks."""
    packages = {path.parent.name for path in root.glob("*/__init__.py") if not path.parent.name.startswith(".")}
    loose = {path.name for path in root.glob("*.py")}
    return sorted(packages - {*FLOORS, "tests", "benchmarks"}) + sorted(loose)


@pytest.mark.parametrize("rule", [upward, strays, training_in_serving, too_long, other_packages])
def test_the_house_keeps_its_floor_plan(rule):
    assert rule(ROOT) == []


def test_the_plan_covers_real_modules():
    covered = {path.relative_to(ROOT).parts[0] for path in modules(ROOT)}

    assert covered == set(FLOORS)
    assert len(every_import(ROOT)) > 50


def test_inference_is_our_own_package():
    import inference  # another distribution has the same import name

    assert Path(inference.__file__).resolve() == ROOT / "inference" / "__init__.py"


def test_serving_loads_neither_torch_nor_another_onnx_tool():
    script = "import streams.cli, sys; print([n for n in ('torch', 'onnx', 'tensorboard', 'av') if n in sys.modules])"

    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (run.returncode, run.stdout.strip()) == (0, "[]"), run.stderr


@pytest.mark.parametrize(
    ("path", "source", "rule", "complaint"),
    [
        (
            "models/store.py",
            "from inference.errors import ConfigError\n",
            upward,
            "models/store.py:1 imports inference.errors.ConfigError",
        ),
        ("inference/engine.py", "def f():\n    import streams.rooms\n", upward, "inference/engine.py:2 imports streams.rooms"),
        (
            "inference/engine.py",
            "import importlib\nimportlib.import_module('streams.x')\n",
            upward,
            "inference/engine.py:2 imports streams.x",
        ),
        ("inference/lanes.py", "import onnxruntime as ort\n", strays, "inference/lanes.py:1 imports onnxruntime"),
        ("streams/worker.py", "def f():\n    from av import open\n", strays, "streams/worker.py:2 imports av.open"),
        ("streams/outbox.py", "from pydantic import BaseModel\n", strays, "streams/outbox.py:1 imports pydantic.BaseModel"),
        (
            "inference/engine.py",
            "from models.train import fit\n",
            training_in_serving,
            "inference/engine.py:1 imports models.train.fit",
        ),
        ("models/cli.py", "from models import train\n", training_in_serving, "models/cli.py:1 imports models.train"),
        ("models/store.py", "from . import train\n", training_in_serving, "models/store.py:1 imports models.train"),
        ("streams/worker.py", "\n" * (MAX_LINES + 1), too_long, f"streams/worker.py: {MAX_LINES + 1} lines"),
        ("utils/__init__.py", "", other_packages, "utils"),
        ("helpers.py", "", other_packages, "helpers.py"),
    ],
)
def test_a_made_up_house_with_one_fault_is_told_so(tmp_path, path, source, rule, complaint):
    for floor in FLOORS:
        (tmp_path / floor).mkdir()
        (tmp_path / floor / "__init__.py").write_text("")
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(source)

    assert rule(tmp_path) == [complaint]


def test_what_the_plan_allows_is_not_complained_of(tmp_path):
    for path, source in {
        "models/cli.py": "import typer\ndef train():\n    from models.train import fit\n",
        "models/train.py": "import torch\nfrom models.networks import text\n",
        "inference/sessions.py": "import onnxruntime\nfrom models.store import ModelStore\n",
        "streams/kafka.py": "import kafka\nfrom inference.errors import NotReady\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(source)

    assert [complaint for rule in (upward, strays, training_in_serving) for complaint in rule(tmp_path)] == []
