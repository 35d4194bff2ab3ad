"""The logo networks of the store: into lanes for the detector, and on the calling thread for what is enrolled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from inference.clock import Clock
from inference.devices import DeviceShare
from inference.host import Host
from inference.loader import LOGO_FINDER, LOGO_TELLER, Loader
from inference.samples import Pixels
from inference.sessions import GraphLayout, OnnxSession
from inference.verdicts import ModelRef
from inference.vision.logo import LogoDetector
from inference.vision.logo_book import LogoBook, MarkReader, Vectors, logo_store
from inference.vision.logo_desk import LogoDesk
from inference.vision.ocr import LaneModel
from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, N_CROP, N_PACKED, Floats
from models.logo_matching import STRANGERS_FILE
from models.logo_prototypes import prototypes_of
from models.store import ModelStore
from models.taxonomy import Taxonomy

SHAPES = ((360, 640), (640, 360), (480, 640))
"""Rows and columns of packed planes that the finder is warmed for: broadcasts, telephones, old cameras."""
MAX_VIEWS = 16
"""Views of a mark that run together."""


def direct_mark_reader(store: ModelStore) -> MarkReader:
    """Load the network that tells marks apart, for one caller at a time.

    Raises:
        ModelsError: the store has no live version of it, or a file of it was changed.
        ConfigError: the graph cannot be loaded.
    """
    stored = store.live(LOGO_TELLER)
    manifest = stored.manifest
    ref = ModelRef(manifest.name, manifest.version, manifest.sha256)
    session = OnnxSession(stored.onnx_path, ref=ref, share=DeviceShare.auto("cpu"))
    given, told = manifest.inputs[0].name, manifest.outputs[0].name

    def run(shown: Floats) -> Floats:
        parts = [session.run({given: shown[at : at + MAX_VIEWS]})[told] for at in range(0, len(shown), MAX_VIEWS)]
        return np.concatenate(parts)

    def embed(rgba: Pixels) -> Vectors:
        return prototypes_of(rgba, run)

    strangers = None
    if STRANGERS_FILE in manifest.extra_files:
        strangers = np.load(stored.onnx_path.with_name(STRANGERS_FILE), allow_pickle=False).astype(np.float32)
    return MarkReader(embed, manifest.sha256, strangers)


def open_logos(loader: Loader, host: Host, labels: frozenset[str]) -> tuple[LogoDetector, LogoBook]:
    """Build the detector, and the book that it is taught by.

    Raises:
        ModelsError: the store lacks one of its models.
        ConfigError: a graph cannot be loaded.
        NotReady: it does not fit the share, or failed in its warm-up.
    """
    found, told = loader.live(LOGO_FINDER), loader.live(LOGO_TELLER)
    book = LogoBook(direct_mark_reader(loader.store))
    planes, crops = found.manifest.inputs[0].name, told.manifest.inputs[0].name
    finder = loader.lane(found, GraphLayout(warm_shapes=tuple({planes: (N_PACKED, *shape)} for shape in SHAPES)))
    teller = loader.lane(told, GraphLayout(warm_shapes=({crops: (N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX)},)))
    detector = LogoDetector(LaneModel(finder, found.manifest), LaneModel(teller, told.manifest), book, host=host, labels=labels)
    return detector, book


def logo_desk(models_dir: Path, data_dir: Path, clock: Clock) -> LogoDesk:
    """Put a desk before the logos of a deployment; raises as `direct_mark_reader`."""
    reader = direct_mark_reader(ModelStore(models_dir))
    return LogoDesk(logo_store(data_dir), reader, check_label=Taxonomy.load().__getitem__, now=clock.utc)
