from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.networks.text import TextNet, TextShape, rounded, with_rounded_tables  # noqa: E402
from models.text_codec import PAD  # noqa: E402

SHAPE = TextShape(n_ids=90, width=8, n_blocks=2, n_pairs=64, n_grams=128, n_looks=2)


@pytest.fixture
def net():
    torch.manual_seed(3)
    net = TextNet(SHAPE)
    with torch.no_grad():
        net.grams.weight.normal_(0.0, 0.5)
        net.prints.copy_(torch.arange(SHAPE.n_grams) % 127)
        net.bias.normal_()
        net.trust.fill_(0.7)
    return net.eval()


def texts(n_rows: int, n_characters: int, length: int):
    rng = np.random.default_rng(5)
    ids = np.full((n_rows, length), PAD, np.int32)
    ids[:, :n_characters] = rng.integers(1, SHAPE.n_ids, (n_rows, n_characters))
    return torch.from_numpy(ids)


def answers(net, ids):
    with torch.no_grad():
        return net(ids)


def test_there_is_one_logit_per_answer(net):
    assert answers(net, texts(3, 10, 16)).shape == (3, 2)


def test_a_text_answers_the_same_however_far_it_is_padded(net):
    short = answers(net, texts(4, 11, 16))

    for length in (32, 64, 128):
        torch.testing.assert_close(answers(net, texts(4, 11, length)), short, rtol=1e-5, atol=1e-5)


def test_a_text_answers_the_same_whatever_it_is_batched_with(net):
    ids = texts(5, 16, 16)

    together = answers(net, ids)

    for row in range(5):
        torch.testing.assert_close(answers(net, ids[row : row + 1]), together[row : row + 1], rtol=1e-5, atol=1e-5)


def test_order_counts(net):
    ids = texts(1, 12, 16)
    turned = torch.cat((ids[:, :12].flip(1), ids[:, 12:]), dim=1)

    assert not torch.allclose(answers(net, ids), answers(net, turned), atol=1e-4)


def test_every_part_learns_but_the_linear_one(net):
    net.train()
    net(texts(4, 12, 16)).sum().backward()

    still = [name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.abs().sum()]
    assert still == ["grams.weight"]


def test_an_answer_is_the_deep_parts_and_the_trusted_linear_parts_together(net):
    ids = texts(3, 12, 16)
    with torch.no_grad():
        net.trust.copy_(torch.tensor([0.5, 2.0]))
        together = net.deep(ids) + torch.tensor([0.5, 2.0]) * net.linear(ids)

    torch.testing.assert_close(answers(net, ids), together)


def test_a_table_in_8_bits_is_within_half_a_step():
    weights = torch.randn(50, 4)

    small = rounded(weights)

    assert small.values.dtype == torch.int8
    assert ((small.values * small.steps - weights).abs() <= small.steps / 2 + 1e-6).all()


def test_rounding_leaves_the_network_itself_alone(net):
    before = net.characters.weight.clone()

    small = with_rounded_tables(net)

    assert torch.equal(net.characters.weight, before)
    assert not torch.equal(small.characters.weight, before)
    assert (answers(net, texts(4, 12, 16)) - answers(small, texts(4, 12, 16))).abs().max() < 0.1
