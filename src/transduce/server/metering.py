"""What a server does, in numbers for Prometheus and for the log; never a text."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from transduce.server.log_lines import ACCESS
from transduce.server.queue.waiting_line import Pack

__all__ = ["Meter"]

_SECONDS = (
    *(0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
_REFUSALS = (413, 429, 503)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Meter:
    """Of one server. Safe to call from any thread."""

    def __init__(self, line_state: Callable[[], tuple[int, int]]) -> None:
        """``line_state`` gives the requests that wait and the bytes that are held for them."""
        self.registry = registry = CollectorRegistry()
        registry.register(_Line(line_state))
        self._requests = Counter(
            "transduce_requests", "Requests by address and status.", ("path", "status"),
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "transduce_request_seconds", "From the first byte to the last.", ("path",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._refused = Counter(
            "transduce_rejections", "Requests that were refused, by status.", ("status",),
            registry=registry,
        )  # fmt: skip
        self._sources = Counter(
            "transduce_sources", "Texts, recordings and pictures, by model.", ("model",),
            registry=registry,
        )  # fmt: skip
        self._waited = Histogram(
            "transduce_queue_wait_seconds", "From the queue to the engine.",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._pack_sizes = Histogram(
            "transduce_batch_sources", "Sources that were decoded together.",
            buckets=_SIZES, registry=registry,
        )  # fmt: skip
        self._pack_seconds = Histogram(
            "transduce_batch_seconds", "Time of the engine for them.",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._tokens = Counter(
            "transduce_source_tokens", "Tokens (or frames) times hypotheses that were decoded.",
            registry=registry,
        )  # fmt: skip

    def request(self, path: str, method: str, status: int, seconds: float, holder: str) -> None:
        """One was answered; ``path`` is that of the route, not what the client wrote."""
        key = path, status
        if key not in self._known:
            self._known[key] = self._requests.labels(path, str(status)), self._seconds.labels(path)
        count, histogram = self._known[key]
        count.inc()
        if status not in _REFUSALS:  # which take no time, and would hide those that do
            histogram.observe(seconds)
        else:
            self._refused.labels(str(status)).inc()
        if ACCESS.isEnabledFor(logging.INFO):
            told = {
                "method": method,
                "path": path,
                "status": status,
                "seconds": round(seconds, 4),
            }
            ACCESS.info("request", extra={"told": {**told, "key": holder} if holder else told})

    def sources(self, model: str, count: int) -> None:
        """So many were asked of a model."""
        self._sources.labels(model).inc(count)

    def pack(self, pack: Pack, seconds: float) -> None:
        """A pack was decoded."""
        taken = time.monotonic() - seconds
        for share in pack.shares:
            if not share.first:
                self._waited.observe(max(0.0, taken - share.ticket.arrived))
        self._pack_sizes.observe(sum(share.count for share in pack.shares))
        self._pack_seconds.observe(seconds)
        self._tokens.inc(pack.cost)

    def text(self) -> bytes:
        """All numbers, as Prometheus reads them."""
        return generate_latest(self.registry)


class _Line(Collector):
    """The queue as it is when somebody looks."""

    def __init__(self, state: Callable[[], tuple[int, int]]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        waiting, held = self._state()
        yield GaugeMetricFamily("transduce_queue_requests", "Requests that wait.", waiting)
        yield GaugeMetricFamily("transduce_queue_bytes", "Bytes that wait.", held)
