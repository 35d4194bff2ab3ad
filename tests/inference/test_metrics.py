"""Metrics: one place, one registry, nothing per room."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from inference.metrics import Metrics


def test_two_sets_in_one_process_do_not_meet():
    first, second = Metrics(), Metrics()

    first.drop("image", "superseded", 3)

    labels = {"modality": "image", "reason": "superseded"}
    assert first.value("livewarden_samples_dropped_total", labels) == 3
    assert second.value("livewarden_samples_dropped_total", labels) == 0


def test_a_given_registry_is_used():
    registry = CollectorRegistry()

    assert Metrics(registry).registry is registry
    assert registry.get_sample_value("livewarden_outbox_unpublished") == 0


def test_the_exposition_is_prometheus_text_and_every_name_is_ours():
    metrics = Metrics()
    metrics.drop("audio", "expired")

    families = list(text_string_to_metric_families(metrics.exposition().decode()))

    assert len(families) > 30
    assert all(family.name.startswith("livewarden_") and family.documentation for family in families)


def test_no_metric_is_labelled_by_room_or_user():
    metrics = Metrics()
    collectors = [value for value in vars(metrics).values() if hasattr(value, "_labelnames")]

    assert len(collectors) > 30
    assert not {name for one in collectors for name in one._labelnames} & {"room", "room_id", "uid", "session_id", "violation_id"}


def test_a_state_nobody_is_in_reads_zero():
    metrics = Metrics()

    metrics.show_rooms({"live": 2}, states=("connecting", "live"))
    metrics.show_rooms({"connecting": 1}, states=("connecting", "live"))

    assert metrics.value("livewarden_rooms", {"state": "live"}) == 0
    assert metrics.value("livewarden_rooms", {"state": "connecting"}) == 1


def test_a_reason_for_blindness_that_is_gone_reads_zero():
    metrics = Metrics()

    metrics.show_blind("image", {"no_stream": 2}, longest_s=30.0)
    metrics.show_blind("audio", {"overload": 5}, longest_s=4.0)
    metrics.show_blind("image", {"decode_error": 1}, longest_s=7.0)

    assert metrics.value("livewarden_blind_rooms", {"modality": "image", "reason": "no_stream"}) == 0
    assert metrics.value("livewarden_blind_rooms", {"modality": "image", "reason": "decode_error"}) == 1
    assert metrics.value("livewarden_blind_rooms", {"modality": "audio", "reason": "overload"}) == 5
    assert metrics.value("livewarden_blind_max_seconds", {"modality": "image"}) == 7
