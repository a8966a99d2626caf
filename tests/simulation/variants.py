"""Parts of the installation that lack a guard of ours which is written in Python.

Each stands in for the same code without the guard; none replaces a module's content.
"""

import json
import uuid
from typing import Any

from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Request, Response

from common.executions import queries
from common.gateways.runpod import JobReport, JobState, SubmitUnknown
from common.gateways.storage import StorageUnavailable
from common.gateways.tasks import Wake
from tests.simulation.installation import FUNCTIONS, Installation
from tests.simulation.sim_runpod import SimRunPod


class _RunPodVariant:
    """Hands every call on to the simulated RunPod."""

    def __init__(self, place: Installation) -> None:
        self._runpod: SimRunPod = place.runtime.sim_runpod

    def submit(self, endpoint_id: str, **order: Any) -> str:
        return self._runpod.submit(endpoint_id, **order)

    def status(self, endpoint_id: str, job_id: str) -> JobReport:
        return self._runpod.status(endpoint_id, job_id)

    def cancel(self, endpoint_id: str, job_id: str) -> None:
        self._runpod.cancel(endpoint_id, job_id)


class BlindRunPod(_RunPodVariant):
    """Sends POST /run again when the first brought no answer."""

    def submit(self, endpoint_id: str, **order: Any) -> str:
        try:
            return super().submit(endpoint_id, **order)
        except SubmitUnknown:
            return super().submit(endpoint_id, **order)


class HastyRunPod(_RunPodVariant):
    """Takes a 404 for the end of a job however young it is."""

    def status(self, endpoint_id: str, job_id: str) -> JobReport:
        report = super().status(endpoint_id, job_id)
        if report.state is JobState.GONE:
            return JobReport(job_id, JobState.FAILED, error="gone")
        return report


class AlarmsAfterwards(_RunPodVariant):
    """Asks for the alarm only when POST /run has been answered."""

    def __init__(self, place: Installation) -> None:
        super().__init__(place)
        self._tasks = place.runtime.tasks
        self._put_off: list[Wake] = []

    @classmethod
    def take_over(cls, place: Installation) -> None:
        variant = cls(place)
        place.runtime.__dict__ |= {"runpod": variant, "tasks": variant}

    def create(self, wake: Wake) -> None:
        self._put_off.append(wake)

    def submit(self, endpoint_id: str, **order: Any) -> str:
        job_id = super().submit(endpoint_id, **order)
        while self._put_off:
            self._tasks.create(self._put_off.pop())
        return job_id


class HopefulStorage:
    """Says that an object is stored while it is still on its way, and sometimes never arrives."""

    def __init__(self, place: Installation) -> None:
        self._storage = place.runtime.sim_storage

    def put(self, name: str, content: bytes, content_type: str) -> None:
        try:
            self._storage.put(name, content, content_type)
        except StorageUnavailable:
            return

    def signed_url(self, name: str, *, ttl_s: int) -> str:
        return self._storage.signed_url(name, ttl_s=ttl_s)


class BelievingCallback:
    """Takes the body of a webhook for the truth instead of asking RunPod."""

    def __init__(self, place: Installation) -> None:
        self._runtime = place.runtime

    def __call__(self, request: Request) -> Response:
        try:
            self._believe(request)
        except DBAPIError:
            return Response("{}", 503)
        return Response("{}", 200)

    def _believe(self, request: Request) -> None:
        body = json.loads(request.get_data())
        attempt_id = uuid.UUID(request.path.split("/")[-2])
        runtime = self._runtime
        with runtime.db.step() as connection:
            attempt = queries.attempt_context(connection, attempt_id)
        if attempt is None or attempt.state not in {"intent", "submitted", "lost"}:
            return
        stored = {"type": "IMAGE", "outputs": [], "raw": body, "text": None, "seed": None}
        with runtime.db.step() as connection:
            queries.observe(
                connection,
                attempt_id,
                job_id=attempt.job_id or body["id"],
                seen=body.get("status", "CANCELLED"),
                source="callback",
                details={"output": stored, "retryable": True, "code": "X", "message": "x"},
                now=runtime.clock.now(),
            )


class OpenCallback:
    """Lets in whoever names an attempt, whatever the token."""

    def __init__(self, place: Installation) -> None:
        self._runpod = place.runtime.sim_runpod

    def __call__(self, request: Request) -> Response:
        attempt = request.path.split("/")[-2]
        for job in self._runpod.jobs.values():
            if job.webhook is not None and attempt in job.webhook:
                request.environ["PATH_INFO"] = job.webhook.partition("example")[2]
        return FUNCTIONS["callback"](Request(request.environ))
