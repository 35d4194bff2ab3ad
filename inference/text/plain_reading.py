"""What was found in the plain sounds of one text, judged where it stands, without any other way to read the text.

Most of what a first search finds is ordinary language that happens to sound like a term. Whether it is meant is decided here by the
same judge as in a full reading (`matcher.py`), for a fraction of its cost.
"""

from __future__ import annotations

from collections.abc import Iterable

from inference.text.automaton import Sighting
from inference.text.normalise import Normaliser
from inference.text.verify import Verifier
from inference.text.views import Unit, View, ViewKind, Views
from inference.text.written import Line

MAX_JUDGED_LENGTH = 128
"""Characters of the longest text that is judged so; a longer one has so much in it that it is read in full at once."""


class PlainReading:
    """Judges forms in the plain reading of texts; one instance serves every thread."""

    def __init__(self, normaliser: Normaliser, views: Views, verifier: Verifier) -> None:
        self._fold = normaliser.fold
        self._plain = views.plain
        self._verifier = verifier

    def stands(self, text: str, sounds: str, found: Iterable[Sighting]) -> bool:
        """Tell whether a full reading could find one of these forms meant; allowed phrases say nothing by themselves.

        Args:
            text: as sent.
            sounds: its plain sounds.
            found: forms found in them.
        """
        wanted = [sighting for sighting in found if sighting.form.term is not None]
        if not wanted:
            return False
        if len(text) > MAX_JUDGED_LENGTH:
            return True
        canon = text.translate(self._fold)
        line = Line.of(canon, text, self._fold)
        if len(canon) != len(sounds):  # signs between the sounds
            view = View.of(ViewKind.PLAIN, self._plain(canon))
            if view.sounds != sounds:  # a sign that folds to several characters
                return True
            judge = self._verifier.judge
            return any(judge(sighting, view, line) is not None for sighting in wanted)
        units = [Unit(sound, place, place) for place, sound in enumerate(sounds)]
        return any(self._verifier.judge(sighting, View(ViewKind.PLAIN, sounds, units), line) is not None for sighting in wanted)
