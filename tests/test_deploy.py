"""Deploy files name what exists: settings of the settings class, metrics of the metrics class, commands of the command line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from inference.metrics import Metrics
from streams.settings import Settings
from tests.conftest import require

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "livewarden"
COMMANDS = {"up", "api", "worker", "models"}
PLAIN_YAML = sorted(path for path in DEPLOY.rglob("*.yaml") if "templates" not in path.parts)


def fields(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Return the dotted name of every setting, sections included."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        names.add(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= fields(field.annotation, f"{prefix}{name}.")
    return names


def dotted(tree: dict[str, Any], prefix: str = "") -> set[str]:
    """Return the dotted name of every leaf of a mapping."""
    names: set[str] = set()
    for key, value in tree.items():
        names |= dotted(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
    return names


def series() -> set[str]:
    """Return every series name that the product can expose."""
    names = {"up"}
    for family in Metrics().registry.collect():
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names |= {family.name + end for end in ends}
    return names


def asked_series(expression: str) -> set[str]:
    """Return the series names of ours in a PromQL expression."""
    return set(re.findall(r"\blivewarden_[a-z_]+", expression))


@pytest.mark.parametrize("path", PLAIN_YAML, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_yaml_file_parses(path):
    assert [part for part in yaml.safe_load_all(path.read_text(encoding="utf-8")) if part]


@pytest.mark.parametrize(
    "path", ["Dockerfile", "compose.yaml", "helm/livewarden/templates/worker.yaml", "helm/livewarden/templates/_helpers.tpl"]
)
def test_every_environment_variable_is_a_setting(path):
    text = (DEPLOY / path).read_text(encoding="utf-8")
    # LIVEWARDEN_MODELS_DIR is the model commands' own; the last two are read by compose alone, before anything of ours starts.
    others = {"LIVEWARDEN_MODELS_DIR", "LIVEWARDEN_API_KEY", "LIVEWARDEN_ALLOWED_HOSTS"}
    asked = set(re.findall(r"\bLIVEWARDEN_[A-Z_]+\b", text)) - others

    assert asked
    assert {name.removeprefix("LIVEWARDEN_").lower().replace("__", ".") for name in asked} - fields(Settings) == set()


def test_every_setting_of_the_chart_is_one_and_loads(tmp_path):
    settings = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["settings"]
    file = tmp_path / "livewarden.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")

    assert dotted(settings) - fields(Settings) == set()
    assert Settings.load(file).api.port == settings["api"]["port"]


def test_a_setting_that_does_not_exist_would_be_noticed():
    assert dotted({"kafka": {"brokers": 1}}) - fields(Settings) == {"kafka.brokers"}


def test_every_alert_asks_for_metrics_that_exist():
    groups = yaml.safe_load((DEPLOY / "monitoring" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    asked = {name for rule in rules for name in asked_series(rule["expr"] + rule["annotations"]["summary"])}

    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert len(asked) > 10
    assert asked - series() == set()


def test_every_panel_asks_for_metrics_that_exist():
    board = json.loads((DEPLOY / "monitoring" / "grafana" / "dashboards" / "livewarden.json").read_text(encoding="utf-8"))
    asked = {name for panel in board["panels"] for target in panel["targets"] for name in asked_series(target["expr"])}

    assert len(asked) > 20
    assert asked - series() == set()


def test_scaling_asks_for_metrics_that_exist():
    asked = asked_series((CHART / "templates" / "scaling.yaml").read_text(encoding="utf-8"))

    assert asked
    assert asked - series() == set()


def test_the_image_holds_what_the_wheel_is_built_from():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = {
        word for line in text.splitlines() if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    }
    ignored = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}

    assert {part for part in copied if not (ROOT / part).exists()} == set()
    assert {part.partition("/")[0] for part in copied} == ignored
    assert "--require-hashes" in text
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)


def test_services_run_commands_that_exist():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    said = {service["command"][0] for service in compose["services"].values() if "command" in service}
    charted = re.findall(
        r"^ +args: \[(\w+),", "".join(path.read_text() for path in (CHART / "templates").glob("*.yaml")), re.MULTILINE
    )

    assert (said | set(charted)) - COMMANDS == set()
    assert set(charted) == {"api", "worker"}


def test_what_compose_mounts_is_there():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]

    assert [mount for mount in mounts if mount.startswith("./") and not (DEPLOY / mount.partition(":")[0]).exists()] == []


def test_the_drain_fits_into_the_grace_period():
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))

    assert values["worker"]["terminationGracePeriodSeconds"] > Settings().rooms.shutdown_s
    assert int(compose["services"]["livewarden"]["stop_grace_period"].removesuffix("s")) > Settings().rooms.shutdown_s


def rendered(*options: str) -> list[dict[str, Any]]:
    """Render the chart and return its objects."""
    helm = shutil.which("helm")
    require(helm is not None, "no helm on this machine", promised=False)
    command = [str(helm), "template", "lw", str(CHART), "--kube-version", "1.30.0", *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return [part for part in yaml.safe_load_all(run.stdout) if part]


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ((), {}),
        (("--set=gpu.kind=nvidia",), {"nvidia.com/gpu": "1"}),
        (("--set=gpu.kind=mig",), {"nvidia.com/mig-1g.10gb": "1"}),
        (("--set=gpu.kind=hami",), {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "6144", "nvidia.com/gpucores": "30"}),
        (("--set=gpu.kind=gpu-manager",), {"tencent.com/vcuda-core": "30", "tencent.com/vcuda-memory": "24"}),
    ],
)
def test_a_worker_asks_for_the_share_of_the_gpu_that_is_set(options, limits):
    worker = next(part for part in rendered(*options) if part["kind"] == "StatefulSet")
    asked = worker["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]

    assert {name: value for name, value in asked.items() if "/" in name} == limits


def test_the_whole_chart_renders_into_named_objects():
    options = ("autoscaling.kind=keda", "serviceMonitor.enabled=true", "prometheusRule.enabled=true", "api.ingress.enabled=true")
    parts = rendered(*(f"--set={option}" for option in options))

    names = [(part["kind"], part["metadata"]["name"]) for part in parts]
    assert len(names) == len(set(names))
    assert {"ScaledObject", "ServiceMonitor", "PrometheusRule", "Ingress", "NetworkPolicy", "PodDisruptionBudget"} <= {
        kind for kind, _ in names
    }
    rule = next(part for part in parts if part["kind"] == "PrometheusRule")
    assert rule["spec"] == yaml.safe_load((DEPLOY / "monitoring" / "alerts.yaml").read_text(encoding="utf-8"))


def test_the_chart_has_no_second_copy_of_the_alerts():
    assert (CHART / "files" / "alerts.yaml").resolve() == DEPLOY / "monitoring" / "alerts.yaml"


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_every_setting_the_readme_names_is_one(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if re.match(r"\| `[a-z_.]+`", line)]
    asked: set[str] = set()
    for line in table:
        section = ""
        for setting in re.findall(r"`([a-z_.]+)`", line.split("|")[1]):
            section = setting.partition(".")[0] if not setting.startswith(".") else section
            asked.add(section + setting if setting.startswith(".") else setting)
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]

    settings = {setting for setting in asked if not setting.startswith(("models/", "nudenet", "ppocr", "silero"))}
    assert len(settings) > 15
    assert (settings | {leaf for block in blocks for leaf in dotted(block)}) - fields(Settings) == set()


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "deploy/README.md"])
def test_every_link_of_a_readme_leads_somewhere(name):
    file = ROOT / name
    links = re.findall(r"\]\(([^)#:]+)\)", file.read_text(encoding="utf-8"))

    assert [link for link in links if not (file.parent / link).exists()] == []
