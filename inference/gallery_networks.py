"""Eyes of the gallery out of the store: in a lane for the detector, on the calling thread for what is taught.

Without a network, or with one that cannot be loaded, colour and texture serve: weaker, and nothing has to be pulled.
"""

from __future__ import annotations

import logging
from pathlib import Path

from inference.clock import Clock
from inference.devices import DeviceShare
from inference.errors import LivewardenError
from inference.host import Host
from inference.loader import Loader
from inference.sessions import GraphLayout, OnnxSession
from inference.verdicts import ModelRef
from inference.vision.eyes import Eye, Floats, NetworkEye, PlainEye, runner
from inference.vision.gallery import GalleryDetector
from inference.vision.gallery_book import GalleryBook, GalleryFollower, gallery_store
from inference.vision.gallery_desk import GalleryDesk
from inference.vision.ordinary import OrdinaryFrames
from models.errors import ModelsError
from models.store import ModelStore
from models.taxonomy import Taxonomy

log = logging.getLogger(__name__)

EMBEDDING = "image-embedding"
"""Name in the store; a version of one's own that is live there, a larger backbone say, serves in place of the shipped one."""


def direct_eye(store: ModelStore) -> Eye:
    """Open the eye for the calling thread: the store's network, or colour and texture."""
    try:
        stored = store.live(EMBEDDING)
        manifest = stored.manifest
        ref = ModelRef(manifest.name, manifest.version, manifest.sha256)
        session = OnnxSession(stored.onnx_path, ref=ref, share=DeviceShare.auto("cpu"))
        return NetworkEye(manifest, stored.onnx_path.parent, runner(session, manifest))
    except (ModelsError, LivewardenError) as error:
        log.warning("the gallery sees by colour and texture only: %s", error)
        return PlainEye()


def lane_eye(loader: Loader) -> Eye:
    """Open the eye for a detector: the store's network in a lane, or colour and texture."""
    n_lanes = len(loader.lanes)
    try:
        stored = loader.live(EMBEDDING)
        manifest = stored.manifest
        given, told = manifest.inputs[0].name, manifest.outputs[0].name
        shape = tuple(size or manifest.preprocess.width_px or 224 for size in manifest.inputs[0].shape[1:])
        lane = loader.lane(stored, GraphLayout(warm_shapes=({given: shape},)))
    except (ModelsError, LivewardenError) as error:
        log.warning("the gallery sees by colour and texture only: %s", error)
        del loader.lanes[n_lanes:]
        return PlainEye()

    def run(tensor: Floats) -> Floats:
        # Teaching waits for the same lane: a network is loaded once.
        row: Floats = lane.submit({given: tensor}).result()[told].copy()
        return row

    return NetworkEye(manifest, stored.onnx_path.parent, run, lane)


def open_gallery(
    loader: Loader, data_dir: Path | None, host: Host, labels: frozenset[str]
) -> tuple[GalleryDetector, GalleryFollower | None]:
    """Build the detector, and what keeps it up to date.

    Args:
        loader: of the device.
        data_dir: under which titles and ordinary frames lie; None: nothing is enrolled and nothing kept.
        host: threads, clock, metrics.
        labels: every code that may be taught.

    Raises:
        ConfigError: what is enrolled cannot be read.
    """
    eye = lane_eye(loader)
    book = GalleryBook(eye, _ordinary(eye, data_dir), host.clock)
    detector = GalleryDetector(book, host=host, labels=labels)
    if data_dir is None:
        return detector, None
    follower = GalleryFollower(gallery_store(data_dir), book)
    follower.follow()
    return detector, follower


def gallery_desk(models_dir: Path, data_dir: Path, clock: Clock) -> GalleryDesk:
    """Put a desk before the gallery of a deployment."""
    eye = direct_eye(ModelStore(models_dir))
    book = GalleryBook(eye, _ordinary(eye, data_dir), clock)
    return GalleryDesk(gallery_store(data_dir), book, check_label=Taxonomy.load().__getitem__)


def _ordinary(eye: Eye, data_dir: Path | None) -> OrdinaryFrames:
    path = None if data_dir is None else data_dir / "gallery-ordinary" / f"{eye.model}.npy"
    return OrdinaryFrames(eye.ordinary, path)
