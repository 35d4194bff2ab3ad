"""What all training runs do with files, decay and running means."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from torch import nn  # noqa: E402

from models.errors import DataError  # noqa: E402
from models.networks.checkpoints import (  # noqa: E402
    draw_near,
    must_match,
    read_state,
    save_history,
    save_state,
    weight_groups,
)


def test_a_checkpoint_replaces_the_last_one_whole(tmp_path):
    path = tmp_path / "last.pt"
    save_state({"epoch": 1}, path)
    save_state({"epoch": 2}, path)

    assert read_state(path) == {"epoch": 2}
    assert [one.name for one in tmp_path.iterdir()] == ["last.pt"]


def test_a_missing_checkpoint_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*best.pt: No such file or directory; train first, with --out"):
        read_state(tmp_path / "best.pt")


def test_a_checkpoint_of_other_numbers_is_refused_by_their_name(tmp_path):
    with pytest.raises(DataError, match="was made with another shape; train into a new folder"):
        must_match(tmp_path, {"plan": 1, "shape": 2}, {"plan": 1, "shape": 3})


def test_history_is_one_object_a_measurement(tmp_path):
    save_history(tmp_path, [{"loss": 1.0}, {"loss": 0.5}])

    assert json.loads((tmp_path / "history.json").read_text()) == [{"loss": 1.0}, {"loss": 0.5}]


def test_matrices_shrink_and_norms_frozen_ones_and_the_named_do_not():
    net = nn.ModuleDict({"words": nn.Embedding(3, 2), "join": nn.Linear(2, 2), "norm": nn.LayerNorm(2), "still": nn.Linear(2, 2)})
    net["still"].requires_grad_(False)

    shrinking, others = weight_groups(net, 0.1, still=lambda name: name.startswith("words"))

    assert (shrinking["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert [one.shape for one in shrinking["params"]] == [(2, 2)]
    assert len(others["params"]) == 4  # the words, the join's bias, the norm's two


def test_the_mean_soon_forgets_the_start_and_later_moves_slowly():
    mean, net = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 1.0)

    nn.init.constant_(mean.weight, 0.0)
    draw_near(mean, net, n_done=0, past=0.99)
    assert mean.weight.item() == pytest.approx(0.9)

    nn.init.constant_(mean.weight, 0.0)
    draw_near(mean, net, n_done=100_000, past=0.99)
    assert mean.weight.item() == pytest.approx(0.01)
