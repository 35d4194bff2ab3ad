"""What building new lists leaves behind, and how it behaves while others serve."""

from __future__ import annotations

import gc
import sys

import pytest

from inference.text.building import TURN_S, building


def test_while_something_is_built_turns_are_short_and_nothing_is_collected():
    with building():
        assert sys.getswitchinterval() <= TURN_S + 1e-9
        assert not gc.isenabled()


def test_afterwards_all_is_as_before_even_where_the_build_failed():
    before = sys.getswitchinterval(), gc.isenabled()

    with pytest.raises(ValueError, match="bad list"), building():
        raise ValueError("bad list")

    assert (sys.getswitchinterval(), gc.isenabled()) == before
