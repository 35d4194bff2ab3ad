"""The README of the floor says what is there: every module has its line, every example can be loaded."""

import re
from pathlib import Path

import pytest

import inference
from inference.policy_book import PolicyBook
from inference.text.lexicon import WordList
from models.taxonomy import Taxonomy

FLOOR = Path(inference.__file__).parent
README = (FLOOR / "README.md").read_text("utf-8")
MODULES = sorted(str(path.relative_to(FLOOR)) for path in FLOOR.rglob("*.py") if path.name != "__init__.py")


def example(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[0]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_line(module: str):
    assert f"`{module}`" in README


def test_every_module_it_names_is_there():
    table = README[README.index("## Modules") : README.index("## One text's way")]

    assert sorted(re.findall(r"`([\w/]+\.py)`", table)) == MODULES


def test_the_policy_example_can_be_loaded(tmp_path: Path):
    file = tmp_path / "my.yaml"
    file.write_text(example("yaml"), "utf-8")

    assert PolicyBook.load([file], taxonomy=Taxonomy.load()).for_room("game").id == "my-rooms"


def test_the_word_list_example_can_be_loaded(tmp_path: Path):
    file = tmp_path / "my.csv"
    file.write_text(example("csv"), "utf-8")

    read = WordList.read(file, Taxonomy.load().__getitem__).require_clean(file)
    assert [term.text for term in read.terms] == ["加薇", "代开发票", "加+群 within 8", "群[0-9]{6,11}"]
