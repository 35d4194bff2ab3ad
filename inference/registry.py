"""From the model store to detectors: which there are, what each needs, and why one is missing.

Composition only: session → lane → detector, warmed and ready. A missing model leaves its detector out, visibly; the rest serves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from inference.clock import Clock
from inference.detectors import Detector, LineReader, TextReader
from inference.devices import DeviceShare
from inference.enrolment import Follower
from inference.errors import ConfigError, LivewardenError
from inference.gallery_networks import open_gallery
from inference.host import Host
from inference.lanes import Device, Lane
from inference.loader import OCR_CLS, OCR_DET, OCR_REC, PORN, TEXT, UNITS, Loader
from inference.logo_networks import open_logos
from inference.sessions import GraphLayout, OnnxSession, Session
from inference.speech.homophones import Homophones
from inference.speech.keywords import AcousticModel, Generation, KeywordDetector, TermSource
from inference.speech.pronouncing import Pronouncer
from inference.speech.recognisers import RecogniserOptions, open_sounds, open_transcriber
from inference.speech.sound import SoundDetector
from inference.speech.stretches import SIZES
from inference.speech.transcribe import TranscriptDetector
from inference.speech.vad import VadDetector
from inference.text.classifier import DirectClassifier, Reader, TextClassifier
from inference.text.normalise import Normaliser
from inference.verdicts import ModelRef
from inference.vision.codes import CodesDetector
from inference.vision.crops import WIDTHS_PX
from inference.vision.ctc import CtcAlphabet, GreedySession
from inference.vision.gallery import GalleryDetector, title_reader
from inference.vision.gallery_book import Gallery
from inference.vision.lettering import lettering_reader
from inference.vision.logo import LogoDetector
from inference.vision.logo_book import LogoBook, logo_store, page_of
from inference.vision.ocr import LaneModel, OcrDetector, OcrLimits, OcrModels, search_size
from inference.vision.porn import PornDetector
from inference.vision.quality import QualityDetector
from models.errors import ModelNotFound, ModelsError
from models.manifest import Manifest
from models.speech_codec import N_MELS
from models.store import ModelStore
from models.taxonomy import Taxonomy
from models.text_codec import LENGTHS, Alphabet

log = logging.getLogger(__name__)

NAMES = ("porn", "codes", "ocr", "vad", "spotting", "quality", "logo", "gallery")
"""Every detector there is, as policies name them; each is in `Built.detectors` or in `Built.missing`."""
BROUGHT = ("asr", "sound")
"""Detectors that are there only where a deployment brings what they run: a recogniser, networks of sound classes."""
MAX_TEXTS = 4096
"""Texts, or windows of long ones, that may wait (Overflow.REJECT): some 0.3 s of one core."""
FRAME_SHAPES = ((16, 9), (9, 16), (4, 3))
"""Width to height of the pictures that text detection is warmed for: broadcasts, telephones, old cameras."""


class TextEngine(Protocol):
    """The text engine as detectors need it: `inference/text/check.py` is the real one."""

    @property
    def findings(self) -> TextReader:
        """What a text says."""
        ...

    @property
    def in_force(self) -> Generation:
        """The present generation of word lists."""
        ...

    @property
    def normaliser(self) -> Normaliser:
        """What folds texts, and knows how characters are read."""
        ...

    @property
    def words(self) -> Mapping[str, float]:
        """A dictionary: word to the natural logarithm of its share."""
        ...


@dataclass(frozen=True, slots=True)
class OcrSettings:
    """How text on pictures is read."""

    side_px: int = 640
    """Longest side of the picture that lines are looked for on."""
    turned: bool = False
    """Also read lines that stand on their head; one more net per line."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What a deployment chooses about its detectors."""

    ocr: OcrSettings = OcrSettings()
    """How text on pictures is read."""
    recogniser: RecogniserOptions | None = None
    """What writes speech down; None: nothing does, and `asr` is neither there nor missing."""
    shared_dir: Path | None = None
    """Under which enrolled logos lie; None: none are enrolled."""


@dataclass(frozen=True, slots=True)
class Built:
    """What could be built, and what could not."""

    detectors: Mapping[str, Detector]
    """By name, in the order they are asked in."""
    missing: Mapping[str, str]
    """By name: the reason, and what to do."""
    lanes: tuple[Lane, ...] = ()
    followers: tuple[Follower[Any], ...] = ()
    """What keeps detectors up to date with what staff enrol."""


def build_detectors(
    store: ModelStore,
    device: Device,
    text: TextEngine,
    *,
    threads: Executor,
    options: BuildOptions | None = None,
) -> Built:
    """Build every detector that the store has the models for.

    Args:
        store: where the live models are.
        device: whose threads run them; lanes are opened on it and closed with it.
        text: the text engine, for text on pictures and in codes, and for the terms that are listened for.
        threads: where detectors do their own CPU work.
        options: what the deployment chooses.

    Returns:
        the detectors, warmed and ready, and the reasons of those that are missing.
    """
    host = Host(threads, clock=device.clock, metrics=device.metrics)
    loader = Loader(store, device)
    options = options or BuildOptions()
    text_labels = frozenset(label.code for label in Taxonomy.load())
    followers: list[Follower[Any]] = []
    shown: list[GalleryDetector] = []
    taught: list[LogoBook] = []
    read = title_reader(text.findings, lambda: shown[0].gallery if shown else Gallery())
    read_line = lettering_reader(lambda: taught[0].page if taught else page_of([]))
    makers: tuple[Callable[[], Detector | None], ...] = (
        lambda: _porn(loader, host),
        lambda: CodesDetector(text.findings, host=host, text_labels=text_labels),
        lambda: _ocr(loader, read, read_line, host, text_labels, options.ocr),
        lambda: VadDetector(loader.voice(), host=host),
        lambda: _spotting(loader, term_source(text, device.clock), host, text_labels),
        lambda: QualityDetector(host=host),
        lambda: _logos(loader, options.shared_dir, host, text_labels, followers, taught),
        lambda: _gallery(loader, options.shared_dir, host, text_labels, followers, shown),
        lambda: _transcripts(loader, options.recogniser, text.findings, host, text_labels),
        lambda: _sounds(loader, host),
    )
    detectors: dict[str, Detector] = {}
    missing: dict[str, str] = {}
    for name, make in zip((*NAMES, *BROUGHT), makers, strict=True):
        n_lanes = len(loader.lanes)
        try:
            detector = make()
            if detector is not None:
                detectors[name] = detector
        except (ModelsError, LivewardenError) as exc:
            missing[name] = _reason(exc)
            log.warning("detector %s is missing: %s", name, missing[name], extra={"detector": name})
            for lane in loader.lanes[n_lanes:]:
                lane.close()  # half a detector serves nobody and holds memory
            del loader.lanes[n_lanes:]
    return Built(detectors, missing, tuple(loader.lanes), tuple(followers))


def _reason(exc: Exception) -> str:
    return f"{exc}; get it with `livewarden models pull`" if isinstance(exc, ModelNotFound) else str(exc)


def _porn(loader: Loader, host: Host) -> Detector:
    stored = loader.live(PORN)
    numbers = stored.manifest.preprocess
    shape = (3, numbers.height_px or 320, numbers.width_px or 320)
    lane = loader.lane(stored, GraphLayout(warm_shapes=({stored.manifest.inputs[0].name: shape},)))
    return PornDetector(lane, stored.manifest, host=host)


def _ocr(
    loader: Loader, read: TextReader, read_line: LineReader, host: Host, text_labels: frozenset[str], settings: OcrSettings
) -> Detector:
    # All of it is looked up before anything is loaded: half a reader reads nothing.
    names: Sequence[str] = (OCR_DET, OCR_REC, OCR_CLS) if settings.turned else (OCR_DET, OCR_REC)
    found = {name: loader.live(name) for name in names}
    det, rec = found[OCR_DET].manifest, found[OCR_REC].manifest
    alphabets: list[CtcAlphabet] = []

    def greedy(session: OnnxSession) -> Session:
        alphabets.append(alphabet_of(session, rec))
        return GreedySession(session, rec.outputs[0].name)

    det_lane = loader.lane(found[OCR_DET], GraphLayout(warm_shapes=_det_shapes(det, settings.side_px)))
    rec_lane = loader.lane(found[OCR_REC], GraphLayout(warm_shapes=_line_shapes(rec, WIDTHS_PX)), greedy)
    cls = None
    if settings.turned:
        width = found[OCR_CLS].manifest.preprocess.width_px or WIDTHS_PX[0]
        layout = GraphLayout(warm_shapes=_line_shapes(found[OCR_CLS].manifest, (width,)))
        cls = LaneModel(loader.lane(found[OCR_CLS], layout), found[OCR_CLS].manifest)
    models = OcrModels(LaneModel(det_lane, det), LaneModel(rec_lane, rec), alphabets[0], cls)
    limits = OcrLimits(side_px=settings.side_px)
    return OcrDetector(models, read, host=host, text_labels=text_labels, read_line=read_line, limits=limits)


def alphabet_of(session: OnnxSession, manifest: Manifest) -> CtcAlphabet:
    """Read a recogniser's characters from its graph.

    Raises:
        ConfigError: the graph carries none.
    """
    characters = session.metadata.get("character", "")
    if not characters:
        raise ConfigError(f"{manifest.ref}: its graph has no metadata 'character'; export it with its list of characters")
    return CtcAlphabet(characters.split("\n"), blank_index=int(manifest.number("blank_index")))


def _det_shapes(manifest: Manifest, side_px: int) -> tuple[Mapping[str, tuple[int, ...]], ...]:
    shapes: dict[tuple[int, ...], None] = {}
    for wide, high in FRAME_SHAPES:
        frame = np.empty((high * 240, wide * 240, 0), np.uint8)
        width, height = search_size(frame, side_px, manifest.preprocess.multiple_of_px)
        shapes[(3, height, width)] = None
    return tuple({manifest.inputs[0].name: shape} for shape in shapes)


def _line_shapes(manifest: Manifest, widths_px: Sequence[int]) -> tuple[Mapping[str, tuple[int, ...]], ...]:
    height = manifest.preprocess.height_px or 48
    return tuple({manifest.inputs[0].name: (3, height, width)} for width in widths_px)


def _logos(
    loader: Loader,
    data_dir: Path | None,
    host: Host,
    labels: frozenset[str],
    followers: list[Follower[Any]],
    taught: list[LogoBook],
) -> LogoDetector:
    detector, book = open_logos(loader, host, labels)
    taught.append(book)
    if data_dir is not None:
        follower = Follower(logo_store(data_dir), book.teach)
        follower.follow()
        followers.append(follower)
    return detector


def _gallery(
    loader: Loader,
    data_dir: Path | None,
    host: Host,
    labels: frozenset[str],
    followers: list[Follower[Any]],
    shown: list[GalleryDetector],
) -> GalleryDetector:
    detector, follower = open_gallery(loader, data_dir, host, labels)
    shown.append(detector)
    if follower is not None:
        followers.append(follower)
    return detector


def _spotting(loader: Loader, source: TermSource, host: Host, labels: frozenset[str]) -> KeywordDetector:
    stored = loader.live(UNITS)
    shapes = tuple({stored.manifest.inputs[0].name: (size, N_MELS)} for size in SIZES)
    voice = loader.voice()
    model = AcousticModel(loader.lane(stored, GraphLayout(warm_shapes=shapes)), stored.manifest)
    return KeywordDetector(model, voice, source, host=host, labels=labels)


def _transcripts(
    loader: Loader, options: RecogniserOptions | None, read: TextReader, host: Host, labels: frozenset[str]
) -> TranscriptDetector | None:
    if options is None:
        return None
    voice = loader.voice()
    return TranscriptDetector(open_transcriber(options, loader, host), voice, read, host=host, text_labels=labels)


def _sounds(loader: Loader, host: Host) -> SoundDetector | None:
    models = open_sounds(loader)
    return SoundDetector(models, host=host) if models else None


def open_spotting(store: ModelStore, device: Device, text: TextEngine, *, threads: Executor) -> KeywordDetector:
    """Build the detector of spoken terms alone; its lanes are closed with the device.

    Raises:
        ModelsError: the store lacks one of its models.
        ConfigError: a graph cannot be loaded.
        NotReady: it does not fit the share, or failed in its warm-up.
    """
    host = Host(threads, clock=device.clock, metrics=device.metrics)
    labels = frozenset(label.code for label in Taxonomy.load())
    return _spotting(Loader(store, device), term_source(text, device.clock), host, labels)


def term_source(text: TextEngine, clock: Clock) -> TermSource:
    """Say where the terms come from that are listened for."""
    homophones = Homophones(text.words, text.normaliser.syllables.readings)
    return TermSource(lambda: text.in_force, Pronouncer(text.normaliser), clock.utc, homophones)


def open_classifier(store: ModelStore, device: Device) -> TextClassifier:
    """Open the lane of the text classifier, warmed and ready; it is closed with the device.

    Raises:
        ModelsError: the store has no live version, or a file of it was changed.
        ConfigError: the graph cannot be loaded, or carries no alphabet.
        NotReady: it does not fit the share, or failed in its warm-up.
    """
    stored = store.live(TEXT)
    alphabets: list[Alphabet] = []

    def noted(session: OnnxSession) -> Session:
        alphabets.append(characters_of(session))
        return session

    layout = GraphLayout(warm_shapes=tuple({stored.manifest.inputs[0].name: (length,)} for length in LENGTHS))
    lane = Loader(store, device).lane(stored, layout, noted, max_queue=MAX_TEXTS)
    return TextClassifier(lane, Reader(stored.manifest, alphabets[0], lane.session.ref), clock=device.clock)


def direct_classifier(store: ModelStore) -> DirectClassifier:
    """Load the text classifier for the calling thread, on the CPU, without a device; raises as `open_classifier`."""
    stored = store.live(TEXT)
    ref = ModelRef(stored.manifest.name, stored.manifest.version, stored.manifest.sha256)
    session = OnnxSession(stored.onnx_path, ref=ref, share=DeviceShare.auto("cpu"))
    return DirectClassifier(session, Reader(stored.manifest, characters_of(session), session.ref))


def characters_of(session: OnnxSession) -> Alphabet:
    """Read a text network's alphabet from its graph.

    Raises:
        ConfigError: the graph carries none.
    """
    characters = session.metadata.get("characters", "")
    if not characters:
        raise ConfigError(f"{session.ref}: its graph has no metadata 'characters'; export it with `livewarden models export text`")
    return Alphabet(characters)
