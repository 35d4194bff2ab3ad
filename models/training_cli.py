"""`livewarden models train, evaluate, export`: networks of our own from data to the store.

They need the packages of the group `train` and, from who composes the command line, `TextServing` as the context's `obj`. Each
network's modules are imported when it is asked for, so that nothing else loads torch.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from models.errors import DataError, TrainingUnavailable
from models.seam import TextServing
from models.store_cli import StoreFolder, one_line_errors, open_store, say_state

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON on standard output and nothing else.")]
DataFolder = Annotated[
    Path,
    typer.Option(
        "--data",
        help="text: folder of the data sets, each in a folder of its name; speech: folder that holds `speech` and `text`; "
        "logo: folder that holds `video` and `games`; image: `backbone` too.",
    ),
]
RunFolder = Annotated[Path, typer.Option("--out", help="Folder of the run: checkpoints, evaluation, what was made for training.")]


class Network(StrEnum):
    """Networks of our own."""

    TEXT = "text"
    SPEECH = "speech"
    LOGO = "logo"
    IMAGE = "image"


WhichNetwork = Annotated[Network, typer.Argument(help="Which network.")]


def train_network(
    context: typer.Context,
    network: WhichNetwork,
    data: DataFolder,
    out: RunFolder,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="End before an epoch that would go over.")] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs over which the learning rate falls; by the network without it.", show_default=False),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")] = False,
    device: Annotated[
        str | None,
        typer.Option(help="logo, speech: cpu or cuda; trains for --minutes on what is made meanwhile.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="logo, with --device: processes that make scenes.")] = 0,
) -> None:
    """Train a network on one core, or logo and speech networks on a graphics card; checkpoints are kept on the way."""
    wanted = Wanted(minutes, epochs, resume, device, workers)
    with one_line_errors(), _training(context) as serving:
        if network is Network.TEXT:
            line = _train_text(data, out, wanted, serving())
        elif network is Network.IMAGE:
            line = _train_image(data, out, wanted)
        else:
            line = _train_speech(data, out, wanted) if network is Network.SPEECH else _train_logo(data, out, wanted)
    typer.echo(line)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked of a training run; None where it was not."""

    minutes: float | None
    epochs: int | None
    resume: bool
    device: str | None = None
    workers: int = 0


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _train_text(data: Path, out: Path, wanted: Wanted, serving: TextServing) -> str:
    from models.data import read_rows
    from models.train import Plan, Run

    run = Run(read_rows(data, serving.fold), out, Plan(n_epochs=wanted.epochs) if wanted.epochs else Plan())
    _tell(f"text: {run.n_steps} steps an epoch, {run.alphabet}, {run.shape}")
    if wanted.resume and run.resume():
        _tell(f"resumed after epoch {run.progress.epoch}")
    done = run.train(budget_s=wanted.minutes * 60 if wanted.minutes else None, tell=_tell)
    return f"best epoch {done.best_epoch} of {done.epoch}, validation score {done.best:.4f}, in {out}"


def _train_speech(data: Path, out: Path, wanted: Wanted) -> str:
    from models.networks.speech_commands import train_speech
    from models.networks.speech_device_commands import device_of, train_speech_on
    from models.networks.speech_train import SpeechPlan

    if wanted.device is not None:
        if wanted.resume:
            raise DataError("training on a device goes by the clock and cannot be resumed; leave --resume out")
        done = train_speech_on(data, out, device_of(wanted.device), minutes=wanted.minutes, tell=_tell)
        return f"best epoch {done.best_epoch} of {done.epoch}, mean unit error {done.best:.4f} on what was kept out, in {out}"
    plan = SpeechPlan(n_epochs=wanted.epochs) if wanted.epochs else SpeechPlan()
    done = train_speech(data, out, plan, minutes=wanted.minutes, resume=wanted.resume, tell=_tell)
    return f"best epoch {done.best_epoch} of {done.epoch}, mean unit error {done.best:.4f} on what was kept out, in {out}"


def _train_logo(data: Path, out: Path, wanted: Wanted) -> str:
    from models.networks.logo_commands import Asked, train_logo, train_logo_on_device
    from models.networks.logo_run import DevicePlan
    from models.networks.logo_train import LogoPlan

    if wanted.device is not None:
        if wanted.minutes is None:
            raise DataError("training on a device goes by the clock; say how long with --minutes")
        asked = Asked(wanted.device, wanted.workers, wanted.minutes * 60, wanted.resume)
        steps = train_logo_on_device(data, out, DevicePlan(), asked, _tell).n_steps
        return f"{steps} steps, in {out}"
    plan = LogoPlan(n_rounds=wanted.epochs) if wanted.epochs else LogoPlan()
    done = train_logo(data, out, plan, minutes=wanted.minutes, resume=wanted.resume, tell=_tell)
    return f"{done.done} of {plan.n_rounds} rounds, in {out}"


def _train_image(data: Path, out: Path, wanted: Wanted) -> str:
    from models.train_image import ImagePlan, ImageRun

    plan = ImagePlan(n_steps=wanted.epochs) if wanted.epochs else ImagePlan()
    run = ImageRun(data, out, plan)
    if wanted.resume and run.resume():
        _tell(f"resumed after step {run.progress.step}")
    done = run.train(budget_s=wanted.minutes * 60 if wanted.minutes else None, tell=_tell)
    return f"{done.step} of {plan.n_steps} steps, in {out}; measure it with `python -m benchmarks.bench_gallery`"


def evaluate_network(
    context: typer.Context,
    network: WhichNetwork,
    data: DataFolder,
    out: RunFolder,
    baseline: Annotated[bool, typer.Option(help="text: fit the TF-IDF baseline beside it.")] = True,
    as_json: AsJson = False,
) -> None:
    """Measure a run's best network on what was kept out of its training."""
    with one_line_errors(), _training(context) as serving:
        if network is Network.IMAGE:
            raise DataError("the picture network is measured with the gallery: export it, then python -m benchmarks.bench_gallery")
        if network is Network.TEXT:
            found, shown = _evaluate_text(data, out, serving(), baseline=baseline)
        else:
            found, shown = _evaluate_speech(data, out) if network is Network.SPEECH else _evaluate_logo(out)
    typer.echo(json.dumps(found) if as_json else f"{network}\n{shown}")


def _evaluate_text(data: Path, out: Path, serving: TextServing, *, baseline: bool) -> tuple[dict[str, Any], str]:
    from models.data import read_rows
    from models.evaluate import evaluate
    from models.networks.text_card import table

    found = evaluate(out, read_rows(data, serving.fold), baseline=baseline)
    return found, table(found)


def _evaluate_speech(data: Path, out: Path) -> tuple[dict[str, Any], str]:
    from models.networks.speech_card import speech_table
    from models.networks.speech_commands import evaluate_speech

    found = evaluate_speech(data, out)
    return found, speech_table(found)


def _evaluate_logo(out: Path) -> tuple[dict[str, Any], str]:
    from models.networks.logo_commands import evaluate_logo, logo_table

    found = evaluate_logo(out)
    return found, logo_table(found)


def export_network(
    context: typer.Context,
    network: WhichNetwork,
    out: RunFolder,
    to: Annotated[Path, typer.Option(help="Folder for the graph and its manifest.")],
    version: Annotated[str, typer.Option(help="Version in the manifest; raise it with every change.")],
    publish: Annotated[bool, typer.Option("--publish", help="Also take it into the store, tested.")] = False,
    folder: StoreFolder = None,
) -> None:
    """Write a run's best network as ONNX with its manifest; refused where the graph does not answer as the network does."""
    with one_line_errors(), _training(context) as serving:
        done = _export(network, out, to, version, serving())
        typer.echo(f"{network}: {done.ref}, {done.size_bytes / 1e6:.2f} MB in {to}; {done.parity}")
        if publish:
            store = open_store(folder)
            for model in _folders(network, to):
                ref = store.publish(model)
                store.mark_tested(ref, done.metrics)
                say_state(store, ref)


class Exported(Protocol):
    """What an export says of itself."""

    @property
    def ref(self) -> str:
        """Name and version."""
        ...

    @property
    def size_bytes(self) -> int:
        """Of the graph."""
        ...

    @property
    def parity(self) -> object:
        """How near the graph is to the network, as a line."""
        ...

    @property
    def metrics(self) -> Mapping[str, float]:
        """Measured, for the store."""
        ...


def _export(network: Network, out: Path, to: Path, version: str, serving: TextServing) -> Exported:
    if network is Network.SPEECH:
        from models.networks.speech_export import export_speech

        return export_speech(out, to, version=version, serving=serving)
    if network is Network.LOGO:
        from models.networks.logo_export import export_logo

        return export_logo(out, to, version=version, serving=serving)
    if network is Network.IMAGE:
        from models.export_image import export_image

        return export_image(out, to, version=version, serving=serving)
    from models.export import export

    return export(out, to, version=version, serving=serving)


def _folders(network: Network, to: Path) -> list[Path]:
    """Name the folders of what was exported; the logo network is two models, a folder each."""
    return [to / "logo-finder", to / "logo-teller"] if network is Network.LOGO else [to]


@contextlib.contextmanager
def _training(context: typer.Context) -> Iterator[Callable[[], TextServing]]:
    """Hand out what serving lends to training, and say what to install where a package of training is missing."""
    if context.obj is None:
        raise TrainingUnavailable("training needs the text engine; run it as `livewarden models`")
    try:
        yield context.obj
    except ModuleNotFoundError as exc:
        raise TrainingUnavailable(
            f"training needs the package {exc.name}; install the group: pip install --group train, in a checkout"
        ) from exc
