from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")
onnx = pytest.importorskip("onnx", reason="onnx is in the dependency group train only")

from models import image_ordinary  # noqa: E402
from models.errors import DataError  # noqa: E402
from models.image_titles import Title  # noqa: E402
from models.networks.image import Conv, FrameNet  # noqa: E402
from models.train_image import BACKBONE, ImagePlan, ImageRun, load_net  # noqa: E402

PLAN = ImagePlan(n_steps=2, n_titles=4, n_levels=2, n_frames=2, n_parts=2, n_pairs_a_step=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A game's screenshots and a backbone of random weights."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "games" / "one").mkdir(parents=True)
    for level in range(3):
        cv2.imwrite(str(folder / "games" / "one" / f"{level}.png"), Title.of(900).level(level))
    (folder / "backbone").mkdir()
    torch.manual_seed(1)
    convs = [module.conv for module in FrameNet().modules() if isinstance(module, Conv)]
    nodes, weights = [], []
    for number, conv in enumerate(convs):
        nodes.append(onnx.helper.make_node("Conv", [f"x{number}", f"w{number}", f"b{number}"], [f"x{number + 1}"]))
        weights.append(onnx.numpy_helper.from_array(conv.weight.detach().numpy(), f"w{number}"))
        weights.append(onnx.numpy_helper.from_array(conv.bias.detach().numpy(), f"b{number}"))
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x0", f"x{len(convs)}")]
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph(nodes, "backbone", ends[:1], ends[1:], weights)), str(folder / BACKBONE)
    )
    return folder


@pytest.fixture(scope="module", autouse=True)
def _few_ordinary_frames() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_ordinary, "N_TITLES", 2)
        yield


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> ImageRun:
    """A run to the plan's end."""
    return trained(data, tmp_path_factory.mktemp("whole"))


def trained(data: Path, folder: Path, plan: ImagePlan = PLAN) -> ImageRun:
    run = ImageRun(data, folder, plan)
    run.train(tell=lambda line: None)
    return run


def test_only_what_counts_is_learnt_and_the_backbone_stays(data: Path, whole: ImageRun) -> None:
    backbone = FrameNet()
    backbone.take_backbone(data / BACKBONE)
    weights = whole.net.join.weight

    assert not torch.allclose(weights, torch.eye(len(weights)), atol=0.05)
    torch.testing.assert_close(weights, weights.T)
    pairs = zip(backbone.stages.parameters(), whole.net.stages.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_directions_in_which_looks_at_one_thing_differ_count_less(whole: ImageRun) -> None:
    values, vectors = torch.linalg.eigh(whole._within())

    most, least = vectors[:, -1].float(), vectors[:, 0].float()

    assert values[-1] > 10 * PLAN.damping
    assert (whole.net.join.weight @ most).norm() < 0.5 * (whole.net.join.weight @ least).norm()


def test_a_run_that_was_interrupted_ends_as_one_that_was_not(data: Path, tmp_path: Path, whole: ImageRun) -> None:
    times = iter(range(10))
    first = ImageRun(data, tmp_path / "halves", PLAN)
    assert first.train(budget_s=1.5, tell=lambda line: None, clock=lambda: float(next(times))).step == 1
    second = ImageRun(data, tmp_path / "halves", PLAN)
    assert second.resume()
    assert second.train(tell=lambda line: None).step == PLAN.n_steps
    torch.testing.assert_close(load_net(tmp_path / "halves").join.weight, whole.net.join.weight)


def test_a_checkpoint_of_another_plan_is_not_gone_on_with(data: Path, tmp_path: Path, whole: ImageRun) -> None:
    other = ImageRun(data, tmp_path, replace(PLAN, seed=6))
    assert not other.resume()
    other.folder = whole.folder
    with pytest.raises(DataError, match="made with another plan"):
        other.resume()


def test_without_clips_and_screenshots_nothing_is_learnt(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clips in"):
        ImageRun(tmp_path, tmp_path / "run", PLAN)


def test_ordinary_frames_are_crisp_and_as_streams_show_them(data: Path) -> None:
    frames = image_ordinary.ordinary_frames(data)
    crisp, shown = frames[: len(frames) // 2], frames[len(frames) // 2 :]
    assert len(frames) == 2 * (2 * 3 + 2)
    assert {one.shape for one in crisp} == {(270, 480, 3)}
    assert {one.shape for one in shown} == {(216, 384, 3)}
