from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is in the dependency group train only")

from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX  # noqa: E402
from models.networks.logo import LogoNets, LogoShape, Told  # noqa: E402
from models.networks.logo_losses import Others, Wanted, finder_loss, teller_loss  # noqa: E402

SMALL = LogoShape((4, 4, 8, 8, 8), (4, 4, 8, 8), 16)


@pytest.fixture
def nets():
    torch.manual_seed(0)
    return LogoNets(SMALL).eval().requires_grad_(False)


@pytest.mark.parametrize(("rows", "columns"), [(360, 640), (104, 56), (8, 8)])
def test_the_finder_answers_for_every_sixteenth_pixel_of_any_size(nets, rows, columns):
    found = nets.finder(torch.zeros((2, 8, rows, columns), dtype=torch.uint8))

    assert found.mark.shape == (2, 1, rows // 8, columns // 8)
    assert found.sides.shape == (2, 4, rows // 8, columns // 8)
    assert bool((found.sides > 0).all())


def test_an_untrained_finder_takes_next_to_nothing_for_a_mark(nets):
    found = nets.finder(torch.zeros((1, 8, 80, 80), dtype=torch.uint8))

    assert float(torch.sigmoid(found.mark).mean()) < 0.1


def test_the_teller_gives_numbers_of_length_one(nets):
    told = nets.teller(torch.rand((3, 6, CROP_HEIGHT_PX, CROP_WIDTH_PX)) * 255)

    assert told.numbers.shape == (3, 16)
    assert torch.allclose(told.numbers.norm(dim=1), torch.ones(3))
    assert told.mark.shape == (3,)
    assert told.moves.shape == (3, 4)


def test_what_a_crop_is_told_does_not_depend_on_its_batch(nets):
    shown = torch.rand((4, 6, CROP_HEIGHT_PX, CROP_WIDTH_PX)) * 255

    together, alone = nets.teller(shown).numbers[2], nets.teller(shown[2:3]).numbers[0]

    assert torch.allclose(together, alone, atol=1e-5)


def told(rows):
    numbers = torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)
    return Told(numbers, torch.zeros(len(rows)), torch.zeros((len(rows), 4)))


def wanted(n, n_none):
    return Wanted(torch.arange(n), torch.zeros((n, 4)), torch.tensor([1.0] * n + [0.0] * n_none))


def others(rows=(), seeds=()):
    return Others(torch.tensor(rows, dtype=torch.float32).reshape(-1, 2), torch.tensor(seeds, dtype=torch.int64))


def test_the_teller_is_better_off_when_places_are_like_their_own_marks():
    enrolled = told([[1, 0], [0, 1]])

    right = teller_loss(told([[1, 0], [0, 1], [-1, -1]]), enrolled, wanted(2, 1), others())
    swapped = teller_loss(told([[0, 1], [1, 0], [-1, -1]]), enrolled, wanted(2, 1), others())
    like_none = teller_loss(told([[1, 0], [0, 1], [1, 0]]), enrolled, wanted(2, 1), others())

    assert right < like_none < swapped


def test_being_like_a_mark_of_an_earlier_batch_costs_unless_it_is_the_same_mark():
    seen, enrolled = told([[1, 0], [0, 1]]), told([[1, 0], [0, 1]])

    alone = teller_loss(seen, enrolled, wanted(2, 0), others())
    rival = teller_loss(seen, enrolled, wanted(2, 0), others([[1, 0]], [77]))
    itself = teller_loss(seen, enrolled, wanted(2, 0), others([[1, 0]], [0]))

    assert rival > itself
    assert float(itself) == pytest.approx(float(alone), abs=1e-2)


def test_the_finder_is_not_judged_where_it_does_not_matter(nets):
    found = nets.finder(torch.randint(0, 255, (1, 8, 32, 32), dtype=torch.uint8))
    sides = torch.ones((1, 4, 4, 4))
    unclear = torch.full((1, 1, 4, 4), -1.0)

    assert float(finder_loss(found, unclear, sides)) == 0.0
    assert float(finder_loss(found, torch.zeros((1, 1, 4, 4)), sides)) > 0.0


def test_a_box_that_overlaps_more_costs_less(nets):
    found = nets.finder(torch.randint(0, 255, (1, 8, 32, 32), dtype=torch.uint8))
    marks = torch.zeros((1, 1, 4, 4))
    marks[0, 0, 1, 2] = 1.0

    exact = finder_loss(found, marks, found.sides.detach())
    off = finder_loss(found, marks, found.sides.detach() * 1.7)

    assert exact < off
