"""From one sample to a verdict, at once: what the synchronous checks, the worker and the command line share.

Owns the composition of the floor: settings → device → models → detectors, word lists and policies. It knows single samples only;
rooms over time are the streams floor's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from inference.checks import Checked, CheckOrder
from inference.clock import Clock, SystemClock
from inference.detectors import Detection, Detector
from inference.devices import DeviceShare
from inference.enrolment import Follower
from inference.errors import DeadlineExceeded, LivewardenError, NotFound, NotReady, Overloaded
from inference.lanes import Device
from inference.metrics import Metrics
from inference.policy import Policy
from inference.policy_book import PolicyBook
from inference.registry import BuildOptions, OcrSettings, build_detectors, open_classifier
from inference.samples import AudioClip, FrameSample, Modality, Pcm, Pixels, RgbPicture, Scene
from inference.settings import InferenceSettings
from inference.text.check import TextChecker
from inference.text.classifier import NAME as CLASSIFIER
from inference.text.classifier import TextClassifier
from inference.text_lists import TextLists
from inference.verdicts import Finding, Verdict
from inference.vision.gallery import GalleryDetector, named_in
from models.errors import ModelsError
from models.store import ModelStore
from models.taxonomy import Taxonomy

log = logging.getLogger(__name__)

SINGLE_ROOM = ""
"""Room id of a picture or clip that belongs to no room: no detector keeps state for it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is made of; `Engine.start` makes it from settings, a test by hand."""

    detectors: Mapping[str, Detector]
    missing: Mapping[str, str]
    """Detectors that are not there, by name, with the reason and the fix."""
    text: TextChecker
    policies: PolicyBook
    device: Device
    threads: ThreadPoolExecutor
    """Where detectors do their own CPU work."""
    classifier: TextClassifier | None = None
    """The text network; None where it is off or missing."""
    followers: tuple[Follower[Any], ...] = ()
    """What keeps detectors up to date with what staff enrol."""


class Engine:
    """Every check there is, on one device share. The coroutines may be awaited on any event loop."""

    def __init__(self, parts: Parts, *, clock: Clock, metrics: Metrics) -> None:
        self._parts = parts
        self.clock = clock
        self.metrics = metrics
        for name in parts.detectors:
            metrics.detector_ready.labels(name).set(1)
        for name in parts.missing:
            metrics.detector_ready.labels(name).set(0)

    @classmethod
    def start(cls, settings: InferenceSettings, *, clock: Clock | None = None, metrics: Metrics | None = None) -> Engine:
        """Load everything and warm it; a missing model leaves its detector out, visibly, and stops nothing.

        Raises:
            ConfigError: a list, a policy or a setting cannot work.
            NotReady: the device asked for is not there, or a model does not fit its share.
        """
        clock = clock or SystemClock()
        metrics = metrics or Metrics()
        taxonomy = Taxonomy.load()
        policies = PolicyBook.load(settings.policies, taxonomy=taxonomy)
        lists = TextLists.of(settings)
        text = TextChecker.load(lists.block, lists.allow, labels=taxonomy)
        share = DeviceShare.auto(
            settings.device.provider,
            index=settings.device.index,
            memory_bytes=None if settings.device.memory_mib is None else settings.device.memory_mib * 2**20,
            compute_percent=settings.device.compute_percent,
            n_threads=settings.device.threads,
        )
        device = Device(share, clock=clock, metrics=metrics)
        threads = ThreadPoolExecutor(max_workers=share.n_threads + 1, thread_name_prefix="detect")
        built = build_detectors(
            ModelStore(settings.models.dir),
            device,
            text,
            threads=threads,
            options=BuildOptions(OcrSettings(settings.models.ocr_side_px), settings.speech.options, settings.shared),
        )
        missing = dict(built.missing)
        classifier = _open_classifier(settings, device, missing)
        parts = Parts(built.detectors, missing, text, policies, device, threads, classifier, built.followers)
        for name, reason in missing.items():
            log.warning("detector %s is off: %s", name, reason)
        return cls(parts, clock=clock, metrics=metrics)

    @property
    def detectors(self) -> Mapping[str, Detector]:
        """Detectors that serve, by name."""
        return self._parts.detectors

    @property
    def missing(self) -> Mapping[str, str]:
        """Detectors that do not serve, by name, and why."""
        return self._parts.missing

    def follow_enrolments(self) -> bool:
        """Have detectors look for what staff have enrolled by now; True where that changed. Blocks: call it on a thread.

        Raises:
            ConfigError: a store of enrolments cannot be read; what was in force before stays.
        """
        changed = [follower.follow() for follower in self._parts.followers]
        return any(changed)

    def words(self, text: str, scene: Scene) -> list[Finding]:
        """Return what is found in words of a room: by the text engine, and titles of the gallery that they name."""
        gallery = self._parts.detectors.get(GalleryDetector.name)
        named = named_in(text, scene, gallery.gallery) if isinstance(gallery, GalleryDetector) else []
        return [*self.text.findings(text, scene), *named]

    @property
    def text(self) -> TextChecker:
        """The text engine."""
        return self._parts.text

    @property
    def classifier(self) -> TextClassifier | None:
        """The text network; None where it is off or missing."""
        return self._parts.classifier

    @property
    def policies(self) -> PolicyBook:
        """Every policy of this deployment."""
        return self._parts.policies

    @property
    def device(self) -> Device:
        """The device share that runs the models."""
        return self._parts.device

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Where detectors do their own CPU work; others may, if they are as brief."""
        return self._parts.threads

    @property
    def generation(self) -> Hashable:
        """What tells the present lists and policies apart from earlier ones."""
        return (self.text.generation, self.policies.generation)

    def decide_text(self, findings: Sequence[Finding], scene: Scene, policy: str | None, biz: str) -> Verdict:
        """Return what a policy says of the findings of one text.

        Raises:
            NotFound: there is no policy of that name.
        """
        chosen = self.policies.for_text(biz, scene, policy)
        return self.policies.verdict(chosen, findings, scene=scene)

    async def check_picture(self, pixels: Pixels, order: CheckOrder) -> Checked:
        """Check one picture, RGB uint8 (H, W, 3), with every detector that looks at pictures, or those named.

        Raises:
            NotFound: no such policy or detector.
            Overloaded: a lane's queue is full.
            DeadlineExceeded: no detector answered in time.
        """
        now = self.clock.utc()
        sample = FrameSample(SINGLE_ROOM, "", 0.0, now, self.clock.now_s(), RgbPicture(pixels))
        return await self._check(sample, Modality.IMAGE, order)

    async def check_audio(self, pcm: Pcm, order: CheckOrder) -> Checked:
        """Check one clip, mono float32 in [-1, 1] at 16 kHz, shape (T,); raises as `check_picture`."""
        clip = AudioClip(SINGLE_ROOM, "", 0.0, self.clock.utc(), self.clock.now_s(), pcm, last=True)
        return await self._check(clip, Modality.AUDIO, order)

    def close(self) -> None:
        """Drain the device, then the threads that feed it."""
        self._parts.device.close()
        self._parts.threads.shutdown(wait=True, cancel_futures=True)

    async def _check(self, sample: FrameSample | AudioClip, modality: Modality, order: CheckOrder) -> Checked:
        policy = self.policies.for_room(order.biz, order.policy)
        if isinstance(sample, FrameSample):
            sample = replace(sample, tiled=policy.sampling.tiles)
        asked = self._asked(modality, order.detectors)
        answers = await asyncio.gather(
            *(detector.detect(sample, deadline_s=order.deadline_s) for detector in asked), return_exceptions=True
        )
        seen: list[Detection] = []
        failed: dict[str, BaseException] = {}
        for detector, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Detection):
                seen.append(answer)
            elif isinstance(answer, LivewardenError):
                failed[detector.name] = answer
            else:
                raise answer
        _refuse_if_nothing_answered(seen, failed)
        verdict = self._judge(policy, [finding for detection in seen for finding in detection.findings])
        absent = [name for name in order.detectors or self.missing if name in self.missing]
        return Checked(verdict, degraded=tuple(sorted({*failed, *absent})))

    def _asked(self, modality: Modality, names: tuple[str, ...] | None) -> list[Detector]:
        """Pick the detectors to ask.

        Raises:
            NotFound: a name that is no detector of this kind.
            NotReady: none is left to ask.
        """
        known = {name: detector for name, detector in self.detectors.items() if detector.modality is modality}
        for name in names or ():
            if name not in known and name not in self.missing:
                raise NotFound(f"no {modality} detector {name!r}; there are {', '.join(sorted(known)) or 'none'}")
        asked = [detector for name, detector in known.items() if names is None or name in names]
        if not asked:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.missing.items())
            raise NotReady(f"no {modality} detector is loaded ({reasons})")
        return asked

    def _judge(self, policy: Policy, findings: Sequence[Finding]) -> Verdict:
        return self.policies.verdict(policy, findings)


def _open_classifier(settings: InferenceSettings, device: Device, missing: dict[str, str]) -> TextClassifier | None:
    """Open the text network where it is wanted; what keeps it from serving is noted in `missing`."""
    if not settings.text.classifier:
        return None
    try:
        return open_classifier(ModelStore(settings.models.dir), device)
    except (LivewardenError, ModelsError) as error:
        missing[CLASSIFIER] = str(error)
        return None


def _refuse_if_nothing_answered(seen: Sequence[Detection], failed: Mapping[str, BaseException]) -> None:
    """Where every detector failed, fail as the most telling of them did: a full queue, a passed deadline, then the rest."""
    if seen:
        return
    for kind in (Overloaded, DeadlineExceeded, LivewardenError):
        for error in failed.values():
            if isinstance(error, kind):
                raise error
