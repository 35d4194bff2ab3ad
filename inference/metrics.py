"""Every Prometheus metric of the product, in one place. Nothing is labelled by room or user: thousands of them come and go.

Per-room figures are in the API; here are the sums, the worst case and the reasons, which is what alerts and dashboards ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PREFIX = "livewarden"
SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
FAST_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""For text checks and lanes: from a tenth of a millisecond."""
MEDIA_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""For what happens to frames and clips: from milliseconds to half a minute."""
GAP_BUCKETS_S = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""For times a room was not watched."""


class Metrics:
    """The metrics of one process, on a registry of their own unless one is given, so that two engines in a test do not meet.

    Safe from any thread. Names follow Prometheus: base units, `_total` on counters.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        self._add_lanes()
        self._add_samples()
        self._add_rooms()
        self._add_violations()
        self._add_publishing()
        self._add_edge()

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format, for `/metrics`."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _add_lanes(self) -> None:
        self.lane_ready = self._gauge("lane_ready", "1 while the lane's model is loaded, warm and within its share", "lane")
        self.lane_waiting = self._gauge("lane_waiting_samples", "Samples waiting in the lane", "lane")
        self.lane_max_batch = self._gauge(
            "lane_max_batch_size", "Largest batch allowed now; below its usual height after OOM", "lane"
        )
        self.lane_batch_size = self._histogram("lane_batch_size", "Samples per batch, padding not counted", SIZE_BUCKETS, "lane")
        self.lane_wait = self._histogram("lane_wait_seconds", "Time a sample waited in the lane", FAST_BUCKETS_S, "lane")
        self.lane_infer = self._histogram("lane_infer_seconds", "Time a batch ran", FAST_BUCKETS_S, "lane")
        self.lane_samples = self._counter("lane_samples_total", "Samples that left the lane, by outcome", "lane", "outcome")
        self.lane_oom = self._counter("lane_oom_total", "Batches that did not fit the device's memory", "lane")
        self.device_busy = self._counter("device_busy_seconds_total", "Time executor threads spent running batches", "device")
        self.device_memory = self._gauge("device_memory_bytes", "Memory in use of the share after the last model loaded", "device")
        self.device_memory_limit = self._gauge("device_memory_limit_bytes", "Memory of the share", "device")
        self.model_info = self._gauge("model_info", "1 for each model that serves", "lane", "model", "version", "provider")

    def _add_samples(self) -> None:
        self.samples_dropped = self._counter("samples_dropped_total", "Samples never scored, by reason", "modality", "reason")
        self.samples_scored = self._counter("samples_scored_total", "Samples scored", "detector")
        self.samples_repeated = self._counter(
            "samples_repeated_total", "Samples answered by the look before, the picture being the same", "detector"
        )
        self.samples_failed = self._counter("samples_failed_total", "Samples whose scoring failed, by reason", "detector", "reason")
        self.findings = self._counter("findings_total", "Labels scored above a detector's floor", "detector", "label")
        self.detect_seconds = self._histogram(
            "detect_seconds", "Time of one sample in a detector, by stage", MEDIA_BUCKETS_S, "detector", "stage"
        )
        self.capture_to_scored = self._histogram(
            "capture_to_scored_seconds", "From reading a sample's packet to its score", MEDIA_BUCKETS_S, "detector"
        )
        self.detector_ready = self._gauge("detector_ready", "1 while the detector has all its models", "detector")

    def _add_rooms(self) -> None:
        self.rooms = self._gauge("rooms", "Rooms by state", "state")
        self.blind_rooms = self._gauge("blind_rooms", "Rooms not watched at present, by reason", "modality", "reason")
        self.blind_max = self._gauge("blind_max_seconds", "Longest time since a room's last scored sample", "modality")
        self.blind_total = self._counter("blind_seconds_total", "Room-seconds not watched, summed over rooms", "modality", "reason")
        self.watched_total = self._counter("watched_seconds_total", "Room-seconds watched, summed over rooms", "modality")
        self.blind_gap = self._histogram(
            "blind_gap_seconds", "Length of each time a room was not watched", GAP_BUCKETS_S, "modality"
        )
        self.sampling_interval = self._histogram(
            "sampling_interval_seconds", "Time between two scored samples of a room", GAP_BUCKETS_S, "detector"
        )
        self.decoder_restarts = self._counter("decoder_restarts_total", "Decoder processes started again", "reason")
        self.decoders = self._gauge("decoders", "Decoder processes alive")
        self.source_reconnects = self._counter("source_reconnects_total", "Rooms reopened after an error", "reason")
        self.frames_corrupt = self._counter("frames_corrupt_total", "Decoded frames that were damaged and not scored")
        self.rooms_quarantined = self._counter("rooms_quarantined_total", "Rooms set apart because they kill their decoder")
        self.worker_lag = self._gauge("worker_loop_lag_seconds", "How late the worker's event loop runs")

    def _add_violations(self) -> None:
        self.violations = self._counter("violations_total", "Violation events", "label", "decision", "kind")
        self.violations_open = self._gauge("violations_open", "Violations open now")
        self.violations_downgraded = self._counter(
            "violations_downgraded_total", "Blocks sent as review, over their quota", "label"
        )
        self.shadow_verdicts = self._counter(
            "shadow_verdicts_total", "What candidate policies would have said", "policy", "decision"
        )
        self.policy_reload_failed = self._counter("policy_reload_failed_total", "Policies refused at reload; the old one stays")
        self.policy_info = self._gauge("policy_info", "1 for each policy that decides", "policy", "version")

    def _add_publishing(self) -> None:
        self.capture_to_publish = self._histogram(
            "capture_to_publish_seconds", "From reading the packet that shows it to the broker's acknowledgement", MEDIA_BUCKETS_S
        )
        self.outbox_unpublished = self._gauge("outbox_unpublished", "Events committed and not yet acknowledged")
        self.outbox_oldest = self._gauge("alerts_unacked_oldest_seconds", "Age of the oldest event not yet acknowledged")
        self.outbox_commit = self._histogram("outbox_commit_seconds", "Time of one group commit", FAST_BUCKETS_S)
        self.outbox_full = self._counter("outbox_full_total", "Times the outbox made its callers wait")
        self.events_published = self._counter("events_published_total", "Events acknowledged by the broker", "topic")
        self.events_retried = self._counter("events_retried_total", "Events sent again", "topic")
        self.kafka_errors = self._counter("kafka_errors_total", "Errors of the broker connection, by type", "reason")
        self.kafka_connected = self._gauge("kafka_connected", "1 while the broker acknowledges; 0 also where none is set")
        self.evidence_seconds = self._histogram("evidence_seconds", "Time to store one piece of evidence", MEDIA_BUCKETS_S, "kind")
        self.evidence_bytes = self._counter("evidence_bytes_total", "Evidence stored, bytes", "kind")
        self.evidence_failed = self._counter("evidence_failed_total", "Evidence that could not be stored", "reason")

    def _add_edge(self) -> None:
        self.text_checks = self._counter("text_checks_total", "Texts checked", "scene", "decision")
        self.text_check_seconds = self._histogram("text_check_seconds", "Time of one text check", FAST_BUCKETS_S)
        self.text_degraded = self._counter("text_degraded_total", "Text answers with a stage skipped", "stage")
        self.media_checks = self._counter("media_checks_total", "Single pictures and clips checked", "modality", "decision")
        self.http_requests = self._counter("http_requests_total", "Requests answered", "route", "method", "status")
        self.http_seconds = self._histogram("http_request_seconds", "Time to answer", FAST_BUCKETS_S, "route")
        self._http: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self.pushed_samples = self._counter("pushed_samples_total", "Frames and clips pushed", "modality", "outcome")
        self.danmaku = self._counter("danmaku_total", "Danmaku lines seen in rooms")

    def http_answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count and time one answer by its route, never by its path: room ids would be labels without end."""
        key = (route, method, status)
        counting = self._http.get(key)
        if counting is None:
            counting = self.http_requests.labels(route, method, str(status)).inc, self.http_seconds.labels(route).observe
            self._http[key] = counting
        count, observe = counting
        count()
        observe(seconds)

    def drop(self, modality: str, reason: str, n: int = 1) -> None:
        """Count samples that will never be scored."""
        self.samples_dropped.labels(modality, reason).inc(n)

    def show_rooms(self, by_state: Mapping[str, int], *, states: Sequence[str]) -> None:
        """Set the number of rooms in every state there is, so that a state nobody is in any more reads 0."""
        for state in states:
            self.rooms.labels(state).set(by_state.get(state, 0))

    def show_blind(self, modality: str, by_reason: Mapping[str, int], longest_s: float) -> None:
        """Set how many rooms are blind now and why, and for how long the worst; reasons seen before and gone read 0."""
        seen = {labels["reason"] for labels in _label_sets(self.blind_rooms) if labels["modality"] == modality}
        for reason in seen | set(by_reason):
            self.blind_rooms.labels(modality, reason).set(by_reason.get(reason, 0))
        self.blind_max.labels(modality).set(longest_s)

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """Read one series by its full name, 0 where it has not been touched; for tests and status pages."""
        return self.registry.get_sample_value(name, dict(labels or {})) or 0.0


def _label_sets(metric: Gauge) -> list[dict[str, str]]:
    return [sample.labels for family in metric.collect() for sample in family.samples]
