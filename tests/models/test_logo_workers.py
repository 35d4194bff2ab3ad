from __future__ import annotations

import subprocess
import sys

from models.errors import DataError
from models.logo_workers import made_or_failed


class Folder:
    """Keeps the numbers that it was asked to make; those of `broken` fail."""

    def __init__(self, broken=()):
        self.asked = []
        self._broken = set(broken)

    def make(self, number, footage):
        self.asked.append(number)
        if number in self._broken:
            raise DataError("the encoder failed")


PROGRAM = """
import sys
from pathlib import Path
from models.logo_workers import SceneWorkers

class Writing:
    def make(self, number, footage):
        (FOLDER / str(number)).touch()

FOLDER = Path(sys.argv[1])
workers = SceneWorkers(Writing(), None, 2)
while not all((FOLDER / name).exists() for name in "0123"):
    assert workers.n_alive
workers.close()
made = len(list(FOLDER.iterdir()))
assert workers.n_alive == 0
assert len(list(FOLDER.iterdir())) == made
print("ended")
"""
"""In a process of its own, as training is: its children are forked, which must not happen beside other tests' threads."""


def test_a_group_that_fails_is_left_out_and_the_rest_is_made():
    folder = Folder(broken=[2])

    n_failed = made_or_failed(folder, None, range(0, 8, 2), lambda: True)

    assert n_failed == 1
    assert folder.asked == [0, 2, 4, 6]


def test_a_process_whose_groups_all_fail_gives_up():
    folder = Folder(broken=range(1000))

    made_or_failed(folder, None, range(1000), lambda: True)

    assert len(folder.asked) == 20


def test_nothing_is_made_once_it_is_told_to_stop():
    answers = iter([True, True, False])
    folder = Folder()

    made_or_failed(folder, None, range(1000), lambda: next(answers))

    assert folder.asked == [0, 1]


def test_processes_share_the_numbers_and_end_when_they_are_closed(tmp_path):
    told = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)

    assert (told.stdout, told.returncode) == ("ended\n", 0), told.stderr
