"""Opens what a deployment brings for its sound: the recogniser that its settings name, and every live network of sound classes."""

from __future__ import annotations

from dataclasses import dataclass

from inference.errors import ConfigError
from inference.host import Host
from inference.loader import Loader
from inference.sessions import GraphLayout, OnnxSession, Session
from inference.speech.ctc_transcriber import CtcSpec, CtcTranscriber, greedy_session
from inference.speech.recogniser_address import RecogniserAddress, RecogniserKind
from inference.speech.sherpa import SherpaOptions, open_sherpa
from inference.speech.sound import TASK as SOUND_TASK
from inference.speech.sound import SoundModel, SoundSpec
from inference.speech.token_list import TokenList, read_tokens
from inference.speech.transcribe import Transcriber
from models.errors import ModelNotFound


@dataclass(frozen=True, slots=True)
class RecogniserOptions:
    """Which recogniser, and how it runs."""

    address: RecogniserAddress
    language: str = ""
    """For recognisers of several languages; empty lets them tell."""
    n_at_once: int = 1
    """Stretches recognised at the same time outside our lanes."""


def open_transcriber(options: RecogniserOptions, loader: Loader, host: Host) -> Transcriber:
    """Open the recogniser that is named, loaded and ready.

    Raises:
        ConfigError: it cannot work; names the setting, the value and the fix.
        ModelsError: a file of it was changed, or its manifest lacks a number.
        NotReady: it does not fit the device's share.
    """
    address = options.address
    try:
        if address.kind is RecogniserKind.CTC:
            return _open_ctc(address.place, loader, host)
        with loader.device.admit(f"recogniser {address.folder.name}"):
            return open_sherpa(address.folder, SherpaOptions(options.language, options.n_at_once), host=host)
    except ModelNotFound as exc:
        raise ConfigError(
            f"speech.transcriber {address}: {exc}; bring it in with livewarden models add FOLDER, then approve and promote it"
        ) from exc
    except ConfigError as exc:
        raise ConfigError(f"speech.transcriber {address}: {exc}") from exc


def open_sounds(loader: Loader) -> list[SoundModel]:
    """Open every live network of sound classes; there may be none.

    Raises:
        ConfigError: one cannot work; names it.
        ModelsError: a file of it was changed.
        NotReady: it does not fit the device's share.
    """
    found = []
    for stored in loader.live_of(SOUND_TASK):
        spec = SoundSpec.of(stored.manifest)
        found.append(SoundModel(loader.lane(stored, GraphLayout(warm_shapes=({spec.input: spec.row_shape},))), spec))
    return found


def _open_ctc(name: str, loader: Loader, host: Host) -> Transcriber:
    stored = loader.live(name)
    manifest = stored.manifest
    spec = CtcSpec.of(manifest)
    tokens: list[TokenList] = []

    def wrapped(session: OnnxSession) -> Session:
        read = read_tokens(session.metadata, stored.folder, where=manifest.ref)
        blank = manifest.postprocess.get("blank_index")
        tokens.append(TokenList.of(read, blank_index=None if blank is None else int(blank), where=f"token list of {manifest.ref}"))
        n_symbols = manifest.outputs[0].shape[-1]
        if n_symbols is not None and n_symbols != len(read):
            raise ConfigError(f"{manifest.ref} has {len(read)} tokens and answers with {n_symbols} symbols; they must be as many")
        return greedy_session(session, spec)

    lane = loader.lane(stored, GraphLayout(warm_shapes=spec.warm_shapes()), wrapped)
    return CtcTranscriber(lane, spec, tokens[0], host=host)
