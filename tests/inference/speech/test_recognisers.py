from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inference.errors import ConfigError
from inference.host import Host
from inference.lanes import Device
from inference.loader import Loader
from inference.speech.recogniser_address import RecogniserAddress
from inference.speech.recognisers import RecogniserOptions, open_transcriber
from inference.testing import fake_device
from models.ledger import State
from models.manifest import Manifest
from models.store import MANIFEST_FILE, ModelStore
from tests.conftest import require
from tests.inference.speech.levels import spoken, write_levels
from tests.inference.speech.tones import sung, write_tones


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    with fake_device() as device:
        yield device


def named(text: str) -> RecogniserOptions:
    return RecogniserOptions(RecogniserAddress.parse(text))


def store_with(root: Path, folder: Path, state: State = State.LIVE) -> ModelStore:
    store = ModelStore(root)
    store.publish(folder, state=state)
    return store


@pytest.mark.parametrize("tokens_inside", [True, False])
async def test_a_live_network_of_the_store_recognises(tmp_path: Path, device: Device, host: Host, tokens_inside: bool):
    store = store_with(tmp_path / "store", write_levels(tmp_path / "levels", tokens_inside=tokens_inside))

    transcriber = open_transcriber(named("ctc:levels"), Loader(store, device), host)

    assert (await transcriber.transcribe(spoken(("加", 0.2), ("微", 0.2)), deadline_s=None)).text == "加微"
    assert str(transcriber.ref) == "levels@1"
    assert transcriber.ref.provider == "CPUExecutionProvider"


async def test_a_folder_of_sherpa_onnx_recognises(tmp_path: Path, device: Device, host: Host):
    require(importlib.util.find_spec("sherpa_onnx") is not None, "sherpa-onnx is not installed; pip install 'livewarden[sherpa]'")
    folder = write_tones(tmp_path / "tones")

    transcriber = open_transcriber(named(f"sherpa:{folder}"), Loader(ModelStore(tmp_path / "store"), device), host)

    assert (await transcriber.transcribe(sung(("加", 0.3), ("微", 0.3)), deadline_s=None)).text == "加微"


def test_a_network_that_is_not_live_is_named_with_the_way_to_bring_it_in(tmp_path: Path, device: Device, host: Host):
    store = store_with(tmp_path / "store", write_levels(tmp_path / "levels"), State.DRAFT)

    with pytest.raises(ConfigError, match=r"speech.transcriber ctc:levels: no live version of 'levels'.*livewarden models add"):
        open_transcriber(named("ctc:levels"), Loader(store, device), host)


def test_a_folder_that_is_not_there_is_named_with_the_setting(tmp_path: Path, device: Device, host: Host):
    with pytest.raises(ConfigError, match=r"speech.transcriber sherpa:/nowhere/at/all: /nowhere/at/all is no folder; unpack"):
        open_transcriber(named("sherpa:/nowhere/at/all"), Loader(ModelStore(tmp_path), device), host)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"task": "porn.detect"}, "levels@1 has the task 'porn.detect'; a recogniser needs 'speech.ctc'"),
        ({"outputs": [7]}, "levels@1 has 6 tokens and answers with 7 symbols"),
    ],
)
def test_a_network_that_cannot_recognise_is_named_with_the_reason(tmp_path: Path, device: Device, host: Host, change, complaint):
    folder = write_levels(tmp_path / "levels")
    manifest = Manifest.load(folder / MANIFEST_FILE)
    if "outputs" in change:
        (output,) = manifest.outputs
        change = {"outputs": (replace(output, shape=(None, None, 7)),)}
    replace(manifest, **change).dump(folder / MANIFEST_FILE)
    store = store_with(tmp_path / "store", folder)

    with pytest.raises(ConfigError, match=f"speech.transcriber ctc:levels: {complaint}"):
        open_transcriber(named("ctc:levels"), Loader(store, device), host)
