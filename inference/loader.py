"""Models of the store, loaded into lanes of one device: which names they have, how large their batches get.

What a detector needs is `registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from inference.devices import DeviceKind
from inference.lanes import Device, Lane
from inference.samples import SAMPLE_RATE_HZ
from inference.sessions import GraphLayout, OnnxSession, Session
from inference.speech.lockstep import LockstepSession
from inference.speech.voice import VoiceActivity
from inference.verdicts import ModelRef
from models.ledger import State
from models.manifest import Manifest
from models.store import ModelStore, Stored

PORN, OCR_DET, OCR_REC, OCR_CLS, VAD = "nudenet-320n", "ppocr-det", "ppocr-rec", "ppocr-cls", "silero-vad"
TEXT, UNITS = "text-classifier", "speech-units"
LOGO_FINDER, LOGO_TELLER = "logo-finder", "logo-teller"
"""Names in the store."""
CPU_LADDER = (1, 2, 4)
"""On a CPU the cost is linear in the batch: larger ones only make everybody wait longer."""
MAX_BATCH: Mapping[str, int] = {PORN: 32, OCR_DET: 4, OCR_REC: 8, OCR_CLS: 8, VAD: 32, TEXT: 32, UNITS: 16, LOGO_TELLER: 16}
"""Largest batch on a GPU; of the recogniser because of its 18,710-wide softmax."""
TINY = frozenset({VAD, TEXT, UNITS, LOGO_TELLER})
"""Models so small that a batch costs little more than one sample on a CPU too."""
MAX_QUEUE = 256
"""Samples that may wait in a lane (Overflow.REJECT); lines of one frame are up to 48."""

Wrap = Callable[[OnnxSession], Session]


class Loader:
    """Loads models of the store into lanes of one device."""

    def __init__(self, store: ModelStore, device: Device) -> None:
        self.store = store
        self.device = device
        self._voice: VoiceActivity | None = None
        self.lanes: list[Lane] = []

    def live(self, name: str) -> Stored:
        """Return the live version of a model; raises ModelsError where there is none."""
        return self.store.live(name)

    def live_of(self, task: str) -> list[Stored]:
        """Return the live version of every model with a task, by name; raises ModelsError where a file was changed."""
        names = [one.manifest.name for one in self.store.list() if one.state is State.LIVE and one.manifest.task == task]
        return [self.store.live(name) for name in names]

    def lane(self, stored: Stored, layout: GraphLayout, wrap: Wrap | None = None, *, max_queue: int = MAX_QUEUE) -> Lane:
        """Load, warm and open the lane of one model.

        Raises:
            ConfigError: the graph cannot be loaded.
            NotReady: it does not fit the share, or failed in its warm-up.
        """
        manifest = stored.manifest
        ref = ModelRef(manifest.name, manifest.version, manifest.sha256)
        session = OnnxSession(stored.onnx_path, ref=ref, share=self.device.share, layout=layout)
        lane = Lane(
            manifest.name,
            wrap(session) if wrap else session,
            self.device,
            max_queue=max_queue,
            ladder=ladder_for(manifest, self.device.share.kind),
        )
        lane.warm()
        self.lanes.append(lane)
        return lane

    def voice(self) -> VoiceActivity:
        """Open the lane that says where speech is, once for all who ask; raises as `lane`, and ModelsError without the model."""
        if self._voice is None:
            stored = self.live(VAD)
            tensors = (*stored.manifest.inputs, *stored.manifest.outputs)
            layout = GraphLayout(
                batch_axes={spec.name: spec.batch_axis for spec in tensors if spec.batch_axis},
                constants={stored.manifest.inputs[2].name: np.asarray(SAMPLE_RATE_HZ, np.int64)},
            )
            lane = self.lane(stored, layout, lambda session: LockstepSession(session, stored.manifest))
            self._voice = VoiceActivity(lane, stored.manifest)
        return self._voice


def ladder_for(manifest: Manifest, kind: DeviceKind) -> tuple[int, ...]:
    """Batch sizes of a model on a kind of device: the manifest's, as far as they help there."""
    if kind is DeviceKind.CPU:
        top = MAX_BATCH[manifest.name] if manifest.name in TINY else CPU_LADDER[-1]
    else:
        top = MAX_BATCH.get(manifest.name, 16)
    return tuple(size for size in manifest.batch_ladder if size <= top) or (1,)
