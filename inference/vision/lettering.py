"""What enrolled logos say, found by reading the screen: a witness beside how they look, for unusual drawings of a word mark.

Thin over `title_names`: a mark stands by itself, so its words must make up half of a line or more; what a sentence says about a
platform is no mark. Numbers beside it are left out of account, since platforms write the room's there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from inference.detectors import LineReader, TextLine
from inference.samples import Modality
from inference.verdicts import Finding, Span, TextMatch
from inference.vision.logo_book import LogoPage

WORDS_SCORE = 0.75
"""A mark's words on a line of their own, surely read: somebody should look; a caption may say them, too."""
LEAST_SHARE = 0.5
"""Of a line's letters that the words must make up: "虎牙直播 房间号 1234" is a mark, "I was on 虎牙直播 yesterday" is talk."""
WORDS_LIST = "logos"
"""What matches of words call the list they are on."""


def lettering_reader(page: Callable[[], LogoPage]) -> LineReader:
    """Let a reader of lines report the logos whose words a line is, where they count.

    Args:
        page: returns what is enrolled now.
    """

    def reading(line: TextLine) -> Sequence[Finding]:
        enrolled = page()
        return [
            Finding(
                label=named.label,
                score=WORDS_SCORE,
                modality=Modality.IMAGE,
                detector="logo",
                sublabel=named.name,
                match=TextMatch(WORDS_LIST, named.name, (Span(0, len(line.text)),), line.text),
            )
            for named in enrolled.words.within(line.text, least_share=LEAST_SHARE)
            if enrolled.logos[named.name].entry.admits(line.box)
        ]

    return reading
