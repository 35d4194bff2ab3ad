from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")
onnx = pytest.importorskip("onnx", reason="onnx is in the dependency group train only")

from models.errors import DataError  # noqa: E402
from models.export_image import INPUT, _measured, graph_bytes, least_cosine, rounded  # noqa: E402
from models.networks.image import SIDE_PX, FrameNet, FrameShape  # noqa: E402

SHAPE = FrameShape(stem=8, stages=((1, 8, 1, 1), (2, 12, 2, 2)), tapped=(0, 1), n_colours=4)


@pytest.fixture
def net():
    torch.manual_seed(3)
    return FrameNet(SHAPE).eval()


def pictures(n: int):
    return torch.rand(n, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_picture_has_as_many_numbers_as_the_shape_says(net):
    with torch.no_grad():
        assert net.seen(pictures(2)).shape == (2, SHAPE.n_seen)
        assert net(pictures(2)).shape == (2, SHAPE.n_seen)


def test_settling_brings_ordinary_pictures_to_the_middle(net):
    net.settle(pictures(8))
    with torch.no_grad():
        centred = (net.seen(pictures(8)) - net.middle) / net.spread
    torch.testing.assert_close(centred.mean(0), torch.zeros(SHAPE.n_seen), atol=1e-4, rtol=0)


def test_the_graph_answers_as_the_network_does(net):
    from onnx.reference import ReferenceEvaluator

    net.settle(pictures(4))
    graph = graph_bytes(rounded(net))
    (found,) = ReferenceEvaluator(onnx.load_from_string(graph)).run(None, {INPUT: pictures(3).numpy()})
    with torch.no_grad():
        wanted = net(pictures(3)).numpy()
    assert least_cosine(np.asarray(found), wanted) > 0.99999


def test_a_graph_without_its_convolutions_is_no_backbone(net, tmp_path: Path):
    path = tmp_path / "other.onnx"
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "other", ends[:1], ends[1:])
    onnx.save(onnx.helper.make_model(graph), str(path))
    with pytest.raises(DataError, match="give a MobileNetV2"):
        net.take_backbone(path)


def test_figures_of_a_run_go_with_the_network_and_into_its_manifest(tmp_path: Path):
    figures = {"real": {"shipped network and colour": {"recall at 2 % false": 0.9, "false, clips": 0.0}}}
    (tmp_path / "run.json").write_text(json.dumps(figures))
    found = _measured(tmp_path / "run.json", tmp_path / "out.json")
    assert found == {"real_recall_at_2_false": 0.9, "real_false_clips": 0.0}
    assert json.loads((tmp_path / "out.json").read_text()) == figures
    assert _measured(tmp_path / "none.json", tmp_path / "other.json") == {}
    (tmp_path / "run.json").write_text("{}[]")
    with pytest.raises(DataError, match="has no figures of 'shipped network and colour'"):
        _measured(tmp_path / "run.json", tmp_path / "out.json")
