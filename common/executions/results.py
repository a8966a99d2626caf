"""What a report of RunPod means for an execution: the verdict that settling is given.

COMPLETED at RunPod is not yet success (runpod.md section 5): the output must be there, be no
error, and its media must pass their checks and lie in our bucket before the run is charged.
"""

from dataclasses import dataclass
from typing import Any

from common.executions.media import OutputRefused, store_media
from common.executions.outputs import read_output
from common.executions.queries import AttemptContext
from common.executions.tools import Tools
from common.executions.worker_errors import Failure, failure_of
from common.gateways.runpod import JobReport, JobState

_TIMED_OUT = Failure(
    "EXECUTION_TIMED_OUT", "The run took longer than this model allows. Your credits are back."
)
_LOST = Failure("RESULT_LOST", "The GPU service lost this run. Your credits are back.")


@dataclass(frozen=True)
class Verdict:
    """`seen` is a JobState's word; `details` is what the settling step stores of it."""

    seen: str
    details: dict[str, Any]


def judge(tools: Tools, attempt: AttemptContext, report: JobReport) -> Verdict:
    """Reads a report; stores the media of a completed job first, before any lock is taken.

    Raises GatewayError when storage or the media's host gave no answer: then nothing is decided.
    """
    times = {"delayMs": report.delay_ms, "executionMs": report.execution_ms}
    if report.state is JobState.COMPLETED and attempt.phase == "done":
        return Verdict("COMPLETED", times)  # too late to count: nothing need be stored
    if report.state is JobState.COMPLETED:
        return _completed(tools, attempt, report, times)
    if report.state is JobState.FAILED:
        failure = failure_of(report.error)
        return _failed(report, failure, times, retryable=failure.code != "INPUTS_REJECTED")
    if report.state in {JobState.GONE, JobState.CANCELLED}:
        return _failed(report, _LOST, times, retryable=True, seen=report.state.value)
    # A job that is still alive past its attempt's deadline is made a time-out by the settling step.
    return _failed(report, _TIMED_OUT, times, seen=report.state.value)


def _completed(
    tools: Tools, attempt: AttemptContext, report: JobReport, times: dict[str, Any]
) -> Verdict:
    reading = read_output(
        attempt.output_adapter, attempt.output_type, report.output, withheld=attempt.withheld
    )
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
    return Verdict("COMPLETED", {**times, "output": stored})


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
