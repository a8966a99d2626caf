"""Cloud Trace, by OpenTelemetry and its protocol. Imported only where tracing is switched on."""

from __future__ import annotations

import os
import time
import uuid
from threading import local
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from common.settings import Settings
from common.tracing import Step, is_traced

# The first step of a run; the others are below it, although it has ended by then.
ROOT = "start"


class CloudTraces:
    """Sends the steps of a share of the runs, in the background: what is lost is not missed."""

    def __init__(self, *, share: float, project: str, exporter: SpanExporter) -> None:
        self._share = share
        self._ids = _Ids()
        service = os.environ.get("K_SERVICE", "tarsify")
        self._provider = TracerProvider(
            resource=Resource({"service.name": service, "gcp.project_id": project}),
            id_generator=self._ids,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("tarsify")

    def ended(self, step: Step, run: uuid.UUID) -> None:
        """Hands a step over."""
        if not is_traced(run, self._share):
            return
        context = self._below(run)
        if step.name == ROOT:
            self._ids.root, context = run, Context()
        span = self._tracer.start_span(
            step.name,
            context=context,
            start_time=step.began_ns,
            attributes={"run": str(run), **step.facts},
        )
        if step.failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_time=max(step.began_ns, time.time_ns()))

    def flush(self) -> None:
        """Waits until all is sent."""
        self._provider.force_flush()

    def _below(self, run: uuid.UUID) -> Context:
        parent = SpanContext(run.int, _root(run), is_remote=True, trace_flags=TraceFlags(1))
        return set_span_in_context(NonRecordingSpan(parent), Context())


class _Ids(RandomIdGenerator):
    """Random ids, but for the first step of a run: those come from the run."""

    def __init__(self) -> None:
        self._thread = local()

    @property
    def root(self) -> uuid.UUID | None:
        run: uuid.UUID | None = getattr(self._thread, "root", None)
        return run

    @root.setter
    def root(self, run: uuid.UUID | None) -> None:
        self._thread.root = run

    def generate_trace_id(self) -> int:
        return self.root.int if self.root else super().generate_trace_id()

    def generate_span_id(self) -> int:
        run, self.root = self.root, None
        return _root(run) if run else super().generate_span_id()


def _root(run: uuid.UUID) -> int:
    """The span id of a run's first step; never 0, which means none."""
    return (run.int >> 64) or 1


def cloud_exporter(settings: Settings) -> SpanExporter:
    """Google takes OpenTelemetry's own protocol, from the account that the function runs as."""
    from google.auth import default
    from google.auth.transport.requests import AuthorizedSession
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    credentials, _ = default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    session: Any = AuthorizedSession
    return OTLPSpanExporter(
        endpoint=settings.trace_url,
        session=session(credentials),
        headers={"x-goog-user-project": settings.gcp_project},
    )
