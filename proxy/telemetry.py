"""Metrics and logs. Names, ids and counts; never content, keys or the text of a finding."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from proxy.errors import BlockedByPublishGate, GatewayError

LogFormat = Literal["json", "text"]

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What one gateway counts. Labels are routes, codes and verdicts: a bounded set, chosen by the gateway."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "scopegate_requests_total", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self.duration_s = Histogram(
            "scopegate_request_duration_seconds",
            "Time to answer",
            ["method", "route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self.refusals = Counter("scopegate_refusals_total", "Refusals by error code", ["code"], registry=self._registry)
        self.verdicts = Counter(
            "scopegate_verdicts_total", "What became of submissions", ["verdict"], registry=self._registry
        )
        self.policy_refused = Gauge(
            "scopegate_policy_refused",
            "1 while the files on disk are refused and older ones are in force",
            registry=self._registry,
        )
        self.policy_loaded = Gauge(
            "scopegate_policy_loaded_timestamp_seconds",
            "When the policies in force were loaded",
            registry=self._registry,
        )

    def refused(self, refusal: GatewayError) -> None:
        """Count a refusal; one by the publish gate is a verdict as well."""
        self.refusals.labels(refusal.code).inc()
        if isinstance(refusal, BlockedByPublishGate):
            self.verdicts.labels("block").inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


def configure_logging(log_format: LogFormat, level: str = "INFO") -> None:
    """Send the program's and the libraries' logs to standard error, a line each."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    renderer = structlog.processors.JSONRenderer() if log_format == "json" else console
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Presidio logs what it analyses at lower levels, and Casbin what it loads.
    for quiet in ("presidio-analyzer", "casbin", "httpx", "httpcore"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
