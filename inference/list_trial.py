"""What a word list is tried on before it is let in: ordinary lines, with the policy and the allowed phrases of a deployment.

Composition only: the replay is `text/list_check.py`, the lists in force are `text/list_store.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.policy_book import PolicyBook
from inference.samples import Scene
from inference.settings import InferenceSettings
from inference.text.check import TextChecker
from inference.text.lexicon import BASE_ALLOW, BASE_LIST, AllowList, Term, WordList, read_phrases
from inference.text.list_check import ORDINARY, ListReport, read_corpus, replay_list, silenced_terms
from inference.text.list_store import ListStore
from inference.text.matcher import Language
from inference.verdicts import Finding, Verdict
from models.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Trial:
    """What the lists of a deployment are tried on."""

    policies: PolicyBook
    allowed: tuple[str, ...]
    """Phrases in force, shipped and own."""
    scene: Scene = Scene.DANMAKU
    corpus: Path = ORDINARY

    @classmethod
    def of(cls, settings: InferenceSettings, store: ListStore, scene: Scene, corpus: Path | None = None) -> Trial:
        """Take policies and allowed phrases from a deployment.

        Raises:
            ConfigError: a policy or an allow-list cannot work.
        """
        paths = (BASE_ALLOW, *settings.text.allow, *store.live_allow_paths())
        allowed = tuple(phrase for path in paths for phrase in read_phrases(path))
        return cls(PolicyBook.load(settings.policies, taxonomy=Taxonomy.load()), allowed, scene, corpus or ORDINARY)

    def replay(self, words: WordList) -> ListReport:
        """Look at the corpus with one list in force and no other.

        Raises:
            ConfigError: the corpus cannot be read.
        """
        corpus = read_corpus(self.corpus)
        checker = TextChecker(Language.load(), Taxonomy.load(), [words], self.allowed)
        return replay_list(words.ref, corpus, checker.findings, self._decide, scene=self.scene)

    def _decide(self, findings: Sequence[Finding], scene: Scene) -> Verdict:
        return self.policies.verdict(self.policies.for_text("", scene), findings, scene=scene)


def silenced_base_terms(phrases: AllowList) -> tuple[Term, ...]:
    """Return the terms of the shipped list that an allow-list would switch off altogether."""
    language, taxonomy = Language.load(), Taxonomy.load()
    base = WordList.read(BASE_LIST, taxonomy.__getitem__, name="base")
    before = TextChecker(language, taxonomy, [base], ())
    after = TextChecker(language, taxonomy, [base], phrases.phrases)
    return silenced_terms(base.terms, before.findings, after.findings)
