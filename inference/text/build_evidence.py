"""Learn how evidence is weighed and write `tables/evidence.tsv`; run by a maintainer, never by the product.

    python -m inference.text.build_evidence POSITIVES NEGATIVES ORDINARY

POSITIVES and NEGATIVES are tables (tab separated, with a header) with the columns `term` and `text`: disguised terms, and texts in
which a term only seems to be. ORDINARY is a file of ordinary messages, a line each: hardly anything found in them is meant, and
what is by its own characters does not count. One ridge regression of log odds per kind of case, by Newton's method.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.text.evidence import FEATURES, Kind
from inference.text.lexicon import BASE_LIST, WordList
from inference.text.matcher import Language, Matcher
from inference.text.written import Line
from models.taxonomy import Taxonomy

RIDGE = 1.0
N_STEPS = 40
WEIGHTS = {"positive": 1.0, "negative": 6.0, "ordinary": 0.5}
"""What one case counts: a hard negative more than a positive, an ordinary line less."""

LITERAL_NEGATIVE = 2.0
"""What a hard negative counts where the term's own characters stand: a listed word that is missed is worse than one too many."""

NEUTRAL = (
    "这个{}啊",
    "{}是什么",
    "我觉得{}不好",
    "又是{}",
    "他说{}的事",
    "{}",
    "，{}！",
    "今天的{}",
    "不要{}",
    "什么{}",
    "都在{}",
    "看到{}了",
)
"""Sentences that say nothing for or against a term: by its own characters it is meant in each."""

Rows = dict[Kind, list[tuple[list[float], float, float]]]


class Teacher:
    """Collects cases from texts."""

    def __init__(self) -> None:
        language = Language.load()
        lists = [WordList.read(BASE_LIST, Taxonomy.load().__getitem__, name="base")]
        self._language, self._matcher = language, Matcher(language, lists, [])
        self.rows: Rows = defaultdict(list)

    @property
    def terms(self) -> list[str]:
        """The terms of the list."""
        return [term.text for term in self._matcher.terms]

    def add(self, text: str, term: str | None, *, source: str, only: Kind | None = None) -> None:
        """Add the cases of a text: for `term` they are meant, or none is where it is None."""
        canon = self._language.normaliser.canonical(text)
        line = Line.of(canon, text, self._language.normaliser.fold)
        seen = set()
        for view in self._language.views.readings(canon, self._matcher.parts):
            for sighting in self._matcher.automaton.found(view.sounds):
                case = self._language.verifier.case(sighting, view, line)
                if case is None or case.form.term is None or (term is not None and case.form.term.text != term):
                    continue
                key = (case.form.term.text, case.written.first, case.written.last, case.kind)
                if (
                    key in seen
                    or (only is not None and case.kind is not only)
                    or (source == "ordinary" and case.kind in (Kind.LITERAL, Kind.LATIN))
                ):
                    continue
                seen.add(key)
                features = self._language.verifier.evidence.features(case)
                weight = LITERAL_NEGATIVE if source == "negative" and case.kind is Kind.LITERAL else WEIGHTS[source]
                self.rows[case.kind].append((features, float(term is not None), weight))


def fit(rows: list[tuple[list[float], float, float]]) -> NDArray[np.float64]:
    """Return the weights of one kind."""
    x = np.array([row[0] for row in rows])
    y = np.array([row[1] for row in rows])
    sure = np.array([row[2] for row in rows])
    beta = np.zeros(x.shape[1])
    ridge = RIDGE * np.eye(x.shape[1])
    ridge[0, 0] = 1e-3
    for _ in range(N_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ beta, -30, 30)))
        gradient = x.T @ (sure * (y - p)) - ridge @ beta
        hessian = (x * (sure * p * (1 - p))[:, None]).T @ x + ridge
        beta += np.linalg.solve(hessian, gradient)
    return beta


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield term and text of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row["term"], row["text"]


def main() -> None:
    """Collect, learn, write, and say how well what was learnt fits."""
    teacher = Teacher()
    for term, text in texts(Path(sys.argv[1])):
        teacher.add(text, term, source="positive")
    for term in teacher.terms:
        for sentence in NEUTRAL:
            teacher.add(sentence.format(term), term, source="positive", only=Kind.LITERAL)
    for _, text in texts(Path(sys.argv[2])):
        teacher.add(text, None, source="negative")
    for text in dict.fromkeys(Path(sys.argv[3]).read_text("utf-8").splitlines()):
        teacher.add(text, None, source="ordinary")
    learnt = {kind: fit(rows) for kind, rows in sorted(teacher.rows.items())}
    for kind, beta in learnt.items():
        rows = teacher.rows[kind]
        hit = [float(np.dot(row[0], beta) > 0) for row in rows]
        meant = [h for h, row in zip(hit, rows, strict=True) if row[1]]
        not_meant = [h for h, row in zip(hit, rows, strict=True) if not row[1]]
        print(  # noqa: T201
            f"{kind}: {len(meant)} meant, {sum(meant) / max(1, len(meant)):.3f} kept; "
            f"{len(not_meant)} not, {sum(not_meant) / max(1, len(not_meant)):.3f} kept"
        )
    head = "feature\t" + "\t".join(learnt)
    lines = [name + "\t" + "\t".join(f"{learnt[kind][index]:.3f}" for kind in learnt) for index, name in enumerate(FEATURES)]
    (Path(__file__).parent / "tables" / "evidence.tsv").write_text("\n".join([head, *lines]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
