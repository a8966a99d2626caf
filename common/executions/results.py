"""What a report of RunPod means for an execution: the verdict that settling is given.

COMPLETED at RunPod is not yet success (runpod.md section 5): the output must be there, be no
error, and its media must pass their checks and lie in our bucket before the run is charged.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from common.executions.media import OutputRefused, is_link, store_media
from common.executions.outputs import Reading, read_output
from common.executions.progress import percent_of
from common.executions.queries import AttemptContext
from common.executions.tools import Tools
from common.executions.worker_errors import Failure, error_inside, failure, failure_of
from common.gateways.errors import GatewayError
from common.gateways.outbound import OutboundError
from common.gateways.runpod import JobReport, JobState

# How long a finished job's result is tried for: a link that gives no answer for so long is dead;
# our own storage gets nearly the 30 minutes for which RunPod keeps results (runpod.md 0.1).
_LINK_PATIENCE = timedelta(minutes=10)
_STORAGE_PATIENCE = timedelta(minutes=25)
# By so much RunPod's own limit (ttl) is over before an attempt's deadline (functions.sql).
_MARGIN = timedelta(seconds=60)
_TIMED_OUT = Failure(
    "EXECUTION_TIMED_OUT", "The run took longer than this model allows. Your credits are back."
)
NO_GPU = Failure("GPU_UNAVAILABLE", "No GPU took the run in time. Your credits are back.")
_LOST = Failure("RESULT_LOST", "The GPU service lost this run. Your credits are back.")


@dataclass(frozen=True)
class Verdict:
    """`seen` is a JobState's word; `details` is what the settling step stores of it."""

    seen: str
    details: dict[str, Any]


def judge(tools: Tools, attempt: AttemptContext, report: JobReport) -> Verdict:
    """Reads a report; stores the media of a completed job first, before any lock is taken.

    A job that hides an error in its progress (runpod.md 7, P5) is stopped at RunPod and has failed.

    Raises GatewayError while storage or the media's host gives no answer: then nothing is decided.
    """
    times = {"delayMs": report.delay_ms, "executionMs": report.execution_ms}
    if report.state is JobState.COMPLETED:
        return _completed(tools, attempt, report, times)
    if report.state is JobState.FAILED:
        return _broken(report, report.error, times)
    if report.state is JobState.RUNNING and _error_in_progress(report) is not None:
        # The worker has failed, yet never says so: it would be paid for until its time is over.
        tools.runpod.cancel(attempt.runpod_endpoint_id, report.job_id)
        return _broken(report, _error_in_progress(report), times)
    expired = tools.clock.now() >= attempt.deadline_at - _MARGIN
    if report.state is JobState.GONE and expired:  # its ttl was over; it would wait in vain again
        return _failed(report, _too_late(attempt, report), times, seen="TIMED_OUT")
    if report.state in {JobState.GONE, JobState.CANCELLED}:
        return _failed(report, _LOST, times, retryable=True, seen=report.state.value)
    # A job that is still alive past its attempt's deadline is made a time-out by the settling step.
    come_so_far = {"progress": percent_of(report.output)}
    return _failed(report, _too_late(attempt, report), times | come_so_far, seen=report.state.value)


def _error_in_progress(report: JobReport) -> Any:
    """Only an object is looked at: a text may say "Error: trying again"."""
    return error_inside(report.output) if isinstance(report.output, dict) else None


def _too_late(attempt: AttemptContext, report: JobReport) -> Failure:
    """A job that never left RunPod's queue is another matter than one that ran for too long."""
    ran = attempt.started_at is not None or report.execution_ms is not None
    return _TIMED_OUT if ran or report.state is JobState.RUNNING else NO_GPU


def _broken(report: JobReport, error: Any, times: dict[str, Any]) -> Verdict:
    """Another try may go better, but not with inputs that the worker refuses."""
    found = failure_of(error)
    return _failed(report, found, times, retryable=found.code != "INPUTS_REJECTED")


def must_be_fetched(attempt: AttemptContext, report: JobReport) -> bool:
    """Whether the result lies behind links, so that taking it may take minutes."""
    if report.state is not JobState.COMPLETED or attempt.phase == "done":
        return False
    return any(is_link(medium) for medium in _reading(attempt, report).media)


def _completed(
    tools: Tools, attempt: AttemptContext, report: JobReport, times: dict[str, Any]
) -> Verdict:
    if attempt.phase == "done":
        return Verdict("COMPLETED", times)  # too late to count: nothing need be stored
    reading = _reading(attempt, report)
    if reading.failure is not None:
        return _failed(report, reading.failure, times, retryable=False)
    try:
        stored = store_media(
            reading,
            storage=tools.storage,
            outbound=tools.outbound,
            prefix=f"executions/{attempt.execution_id}/{attempt.n}",
        )
    except OutputRefused as refused:
        return _failed(report, Failure(refused.code, refused.message), times, retryable=False)
    except GatewayError as error:
        if tools.clock.now() < _done_at(attempt, report) + _patience(error):
            raise
        return _failed(report, failure("OUTPUT_UNREACHABLE", str(error)), times, retryable=False)
    return Verdict("COMPLETED", {**times, "output": stored})


def _reading(attempt: AttemptContext, report: JobReport) -> Reading:
    return read_output(
        attempt.output_adapter, attempt.output_type, report.output, withheld=attempt.withheld
    )


def _done_at(attempt: AttemptContext, report: JobReport) -> datetime:
    """When the job ended, as far as RunPod tells; at the latest it was the attempt's deadline."""
    if report.delay_ms is None or report.execution_ms is None:
        return attempt.deadline_at
    took = timedelta(milliseconds=report.delay_ms + report.execution_ms)
    return min(attempt.begun_at + took, attempt.deadline_at)


def _patience(error: GatewayError) -> timedelta:
    return _LINK_PATIENCE if isinstance(error, OutboundError) else _STORAGE_PATIENCE


def _failed(
    report: JobReport,
    failure: Failure,
    times: dict[str, Any],
    *,
    retryable: bool = False,
    seen: str = "FAILED",
) -> Verdict:
    """A failure is not retried when the job ran to its end: it would cost again and fail again."""
    return Verdict(
        seen,
        {
            **times,
            "code": failure.code,
            "message": failure.message,
            "error": failure.raw or report.error,
            "retryable": retryable,
        },
    )
