from __future__ import annotations

import pytest

from models.errors import ChecksumMismatch, ModelNotFound, WrongState
from models.ledger import State
from models.shipped import Shipped
from models.store import ModelStore
from tests.models.conftest import tiny_manifest, write_model


@pytest.fixture
def shipped(tmp_path):
    """A product that ships tiny@1."""
    write_model(tmp_path / "shipped" / "tiny", tiny_manifest("1"))
    return Shipped(tmp_path / "shipped")


@pytest.fixture
def store(tmp_path, shipped):
    return ModelStore(tmp_path / "store", shipped=shipped)


def publish(store, tmp_path, version: str, *, state: State = State.LIVE) -> None:
    store.publish(write_model(tmp_path / f"own-{version}", tiny_manifest(version)), state=state)


def test_a_shipped_model_is_live_in_a_store_that_does_not_exist_yet(store):
    assert store.live("tiny").ref == "tiny@1"
    assert store.live_version("tiny") == "1"
    assert store.show("tiny").state is State.LIVE
    assert store.path("tiny@1").name == "tiny.onnx"
    assert store.metrics("tiny") == {}
    assert [one.ref for one in store.list()] == ["tiny@1"]
    assert not store.root.exists()


def test_the_stores_own_live_version_goes_before_the_shipped_one(store, tmp_path):
    publish(store, tmp_path, "2")

    assert store.live("tiny").ref == "tiny@2"
    assert store.show("tiny").ref == "tiny@2"
    assert store.show("tiny@1").state is State.APPROVED
    assert [(one.ref, one.state) for one in store.list()] == [("tiny@2", State.LIVE), ("tiny@1", State.APPROVED)]


def test_a_draft_of_the_stores_own_leaves_the_shipped_one_live(store, tmp_path):
    publish(store, tmp_path, "2", state=State.DRAFT)

    assert store.live("tiny").ref == "tiny@1"
    assert store.show("tiny").ref == "tiny@1"
    assert store.show("tiny@2").state is State.DRAFT


def test_rollback_goes_back_to_the_shipped_one_at_last(store, tmp_path):
    publish(store, tmp_path, "2")
    publish(store, tmp_path, "3")

    assert store.rollback("tiny") == "tiny@2"
    assert store.rollback("tiny") == "tiny@1"
    assert store.live("tiny").folder.parent.name == "shipped"
    with pytest.raises(WrongState, match="no earlier live version"):
        store.rollback("tiny")


def test_rollback_of_a_shipped_model_alone_is_refused(store):
    with pytest.raises(WrongState, match="no earlier live version"):
        store.rollback("tiny")


def test_promoting_the_shipped_one_makes_it_live_and_rollback_undoes_it(store, tmp_path):
    store.promote("tiny@1")
    publish(store, tmp_path, "2")

    store.promote("tiny@1")
    assert store.live("tiny").ref == "tiny@1"

    assert store.rollback("tiny") == "tiny@2"


def test_a_version_of_the_stores_own_with_the_shipped_name_is_the_stores(store, tmp_path):
    publish(store, tmp_path, "1", state=State.DRAFT)

    assert store.show("tiny@1").folder == store.root / "tiny" / "1"
    assert [one.folder for one in store.list()] == [store.root / "tiny" / "1"]


def test_a_changed_shipped_file_is_not_handed_out(store, shipped):
    (shipped.folder / "tiny" / "tiny.onnx").write_bytes(b"other")

    with pytest.raises(ChecksumMismatch, match="was changed"):
        store.live("tiny")


def test_what_neither_ships_nor_is_published_is_not_found(store):
    with pytest.raises(ModelNotFound, match="no live version of 'other'"):
        store.live("other")


def test_every_model_of_the_product_is_whole():
    names = [manifest.name for manifest in Shipped()]

    assert {"speech-units", "text-classifier"} <= set(names)
    for manifest in Shipped():
        beside = {path.name for path in (Shipped().folder / manifest.name).iterdir()}
        assert manifest.metrics
        assert beside == {"manifest.yaml", "README.md", "evaluation.json", *manifest.files}


def test_shipped_models_are_verified_and_small(tmp_path):
    store = ModelStore(tmp_path)
    sizes = [store.live(manifest.name).onnx_path.stat().st_size for manifest in Shipped()]

    assert max(sizes) <= 15_000_000
    assert sum(sizes) <= 30_000_000
