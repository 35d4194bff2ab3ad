"""How fast is completion when much has been learnt, and what does learning cost?

    python -m benchmarks.bench_suggest [--rounds 5] [--rooms 1000] [--room-texts 150] [--platform-texts 50000]

One thread, in process. Learnt: `--platform-texts` different texts (real danmaku where the shared data folder is beside the
checkout, then pairs of them; else generated), each said by three users, `--room-texts` of them again in each room. Asked: two and
three characters, and pinyin, of texts drawn by chance, in rooms drawn by chance. Limit: one bisection of a sorted list of the same
texts, which knows no popularity, no rooms, no pinyin and no check. Wall time holds what others on the machine take, CPU time not.
"""

from __future__ import annotations

import gc
import random
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.bench_text import danmaku
from benchmarks.report import Contender, arguments, compare, publish
from inference.samples import Scene
from inference.text.check import TextChecker
from inference.text.normalise import Normaliser
from inference.text.suggest import MAX_FOLDED, Suggester, SuggestSettings, worth_offering
from inference.text.tables import Tables
from inference.text.typed import BEFORE, Letters

SEED = 20
N_ASKED = 5_000
N_LEARNT = 20_000
NOW_S = 10.0
"""All is said within ten seconds, so that nothing has faded and everything competes."""

Ask = tuple[str, str]
"""Room and prefix."""


def different_texts(n_texts: int, normaliser: Normaliser, rng: random.Random) -> list[str]:
    """Return texts that may be learnt, each with another canonical form."""
    lines, source = danmaku(42_929)
    found: dict[str, str] = {}

    def take(text: str) -> None:
        form = text.strip()
        canon = normaliser.canonical(form).strip()
        if worth_offering(form, canon):
            found.setdefault(canon, form)

    for line in lines:
        take(line)
    n_real = len(found)
    short = [text for text in found.values() if len(text) <= 15]
    while len(found) < n_texts:
        take(rng.choice(short) + rng.choice(short))
    print(f"{n_texts:,} different texts, {min(n_real, n_texts):,} of them {source}, the others pairs of them")
    return list(found.values())[:n_texts]


def learnt(texts: Sequence[str], n_rooms: int, n_room_texts: int, normaliser: Normaliser) -> Suggester:
    """Fill a suggester."""
    rng = random.Random(SEED)
    suggester = Suggester(normaliser, SuggestSettings(max_rooms=max(n_rooms, 1)))
    sayings = [(rng.randrange(n_rooms), user, text) for text in texts for user in ("a", "b", "c")]
    for room in range(n_rooms):
        sayings += [(room, user, text) for text in rng.sample(texts, n_room_texts) for user in ("d", "e")]
    rng.shuffle(sayings)
    before_mib, started_s = resident_mib(), time.perf_counter()
    for index, (room, user, text) in enumerate(sayings):
        suggester.learn(f"room-{room}", user, text, NOW_S * index / len(sayings))
        if index % MAX_FOLDED == 0:
            suggester.fold_in()
    while suggester.fold_in():
        pass
    took_s = time.perf_counter() - started_s
    print(
        f"{len(sayings):,} sayings in {suggester.n_rooms:,} rooms: {suggester.n_texts:,} learnt texts, "
        f"{resident_mib() - before_mib:.0f} MiB more, {took_s / len(sayings) * 1e6:.1f} us a saying, {suggester.n_dropped} dropped"
    )
    return suggester


def resident_mib() -> float:
    """Memory of this process in use."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def asks(texts: Sequence[str], n_rooms: int, normaliser: Normaliser, letters: Letters) -> list[Ask]:
    """Return what is asked: a third two characters, a third three, a third pinyin, of which half initials."""
    rng = random.Random(SEED + 1)
    found: list[Ask] = []
    while len(found) < N_ASKED:
        canon = normaliser.canonical(rng.choice(texts))
        typed = letters.of(canon).split(BEFORE)
        prefixes = [canon[:2], canon[:3]] * 2 + [typed[1][:2], typed[2][:5]] if len(typed) > 2 else [canon[:2], canon[:3]]
        found.append((f"room-{rng.randrange(n_rooms)}", rng.choice(prefixes)))
    return found


def quantile_us(run: Callable[[str, str], object], asked: Sequence[Ask], share: float, clock_ns: Callable[[], int]) -> float:
    """Return the time that a share of the calls stay below, microseconds."""
    took: list[int] = []
    for room, prefix in asked:
        started_ns = clock_ns()
        run(room, prefix)
        took.append(clock_ns() - started_ns)
    took.sort()
    return took[min(len(took) - 1, int(len(took) * share))] / 1000


class Contenders:
    """Everything that answers one prefix."""

    def __init__(self, suggester: Suggester, texts: Sequence[str], normaliser: Normaliser, checker: TextChecker) -> None:
        self._suggester = suggester
        self._normaliser = normaliser
        self._checker = checker
        self._sorted = sorted(map(normaliser.canonical, texts))
        self._generation = 0

    def bare(self, _: str, prefix: str) -> list[str]:
        """Bisect a sorted list."""
        place = bisect_left(self._sorted, self._normaliser.canonical(prefix))
        return [text for text in self._sorted[place : place + 8] if text.startswith(prefix)]

    def warm(self, asked: Sequence[Ask]) -> None:
        """Have everything that will be offered checked once under the lists that do not change."""
        for room, prefix in asked:
            self.known(room, prefix)

    def known(self, room: str, prefix: str) -> object:
        """Offer under lists that do not change."""
        return self._offer(room, prefix, 0)

    def reloaded(self, room: str, prefix: str) -> object:
        """Offer as if the lists had changed since the last offer: every text is checked again."""
        self._generation += 1
        return self._offer(room, prefix, self._generation)

    def _offer(self, room: str, prefix: str, generation: int) -> object:
        return self._suggester.offer(room, prefix, NOW_S, limit=8, passes=self._passes, generation=generation)

    def _passes(self, text: str) -> bool:
        return not self._checker.findings(text, Scene.DANMAKU)


class Learning:
    """Everything that one line costs: on the way of the check, and indexed behind it."""

    def __init__(self, suggester: Suggester, texts: Sequence[str], normaliser: Normaliser) -> None:
        self._suggester = suggester
        self._normaliser = normaliser
        self._lines = (list(texts) * (N_LEARNT // len(texts) + 1))[:N_LEARNT]
        self._waiting = Suggester(normaliser, SuggestSettings(max_waiting=N_LEARNT))

    def contenders(self) -> list[Contender]:
        """Return the bare way first."""
        return [
            Contender("bare: append to a deque", lambda: self._per_line_us(self.append)),
            Contender("learn", lambda: self._per_line_us(self.learn)),
            Contender("bare: fold and count in a dict", lambda: self._per_line_us(self.count)),
            Contender("learn and fold_in, full tables, new texts in the room", lambda: self._per_line_us(self.index)),
        ]

    def append(self) -> None:
        """Note the lines in the barest way."""
        waiting: deque[tuple[str, str, str, float]] = deque(maxlen=N_LEARNT)
        for line in self._lines:
            waiting.append(("room-1", "a", line, NOW_S))

    def learn(self) -> None:
        """Note them."""
        for line in self._lines:
            self._waiting.learn("room-1", "a", line, NOW_S)

    def count(self) -> None:
        """Fold the lines and count them in the barest way."""
        counts: Counter[str] = Counter()
        for line in self._lines:
            counts[self._normaliser.canonical(line)] += 1

    def index(self) -> None:
        """Note and index them; most are new to the room, which is full."""
        for start in range(0, N_LEARNT, MAX_FOLDED):
            for line in self._lines[start : start + MAX_FOLDED]:
                self._suggester.learn("room-1", "f", line, NOW_S)
            self._suggester.fold_in()

    def _per_line_us(self, run: Callable[[], object]) -> float:
        started_ns = time.thread_time_ns()
        run()
        return (time.thread_time_ns() - started_ns) / N_LEARNT / 1000


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rooms", type=int, default=1_000)
    parser.add_argument("--room-texts", type=int, default=150)
    parser.add_argument("--platform-texts", type=int, default=50_000)
    options = parser.parse_args()

    normaliser = Normaliser(Tables.load())
    texts = different_texts(options.platform_texts, normaliser, random.Random(SEED))
    suggester = learnt(texts, options.rooms, options.room_texts, normaliser)
    asked = asks(texts, options.rooms, normaliser, Letters(normaliser.syllables))
    who = Contenders(suggester, texts, normaliser, TextChecker.load())
    runs = {"bare sorted list": who.bare, "offer": who.known, "offer, every text checked again": who.reloaded}
    reports = []
    for name, share, clock_ns in (
        ("median, wall", 0.5, time.perf_counter_ns),
        ("p99, wall", 0.99, time.perf_counter_ns),
        ("p99, CPU", 0.99, time.thread_time_ns),
        ("longest, CPU", 1.0, time.thread_time_ns),
    ):

        def measured(run: Callable[[str, str], object], share: float = share, clock_ns: Callable[[], int] = clock_ns) -> float:
            who.warm(asked)
            return quantile_us(run, asked, share, clock_ns)

        contenders = [Contender(one, lambda run=run, measured=measured: measured(run)) for one, run in runs.items()]
        reports.append(compare(f"One offer of {N_ASKED:,}: {name}", "us", contenders, n_rounds=options.rounds))
    learning = Learning(suggester, texts, normaliser).contenders()
    reports.append(compare("One line learnt, CPU", "us", learning, n_rounds=options.rounds))
    publish(reports, as_json=options.json)


if __name__ == "__main__":
    main()
