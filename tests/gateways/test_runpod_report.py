"""Job objects as RunPod really writes them (runpod.md 1.3, 2.1, 7), read into one form."""

from typing import Any

import pytest

from common.gateways.runpod_report import MISSING, JobState, read_report


def read(**body: Any) -> Any:
    return read_report({"id": "j", **body}, job_id="j")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("IN_QUEUE", JobState.QUEUED),
        ("IN_PROGRESS", JobState.RUNNING),
        ("RUNNING", JobState.RUNNING),
        ("COMPLETED", JobState.COMPLETED),
        ("FAILED", JobState.FAILED),
        ("TIMED_OUT", JobState.TIMED_OUT),
        ("CANCELLED", JobState.CANCELLED),
    ],
)
def test_each_documented_status_has_one_meaning(word: str, state: JobState) -> None:
    assert read(status=word).state is state


@pytest.mark.parametrize("word", ["WARMING", "UNKNOWN", "", "completed"])
def test_an_unknown_status_means_that_the_job_goes_on(word: str) -> None:
    assert read(status=word).state is JobState.QUEUED
    assert read(status=word, workerId="w").state is JobState.RUNNING


def test_a_time_limit_told_as_failed_is_a_time_out_p13() -> None:
    report = read(status="FAILED", error="job failed: executionTimeout exceeded")
    assert report.state is JobState.TIMED_OUT


def test_a_job_lost_by_the_platform_is_a_failure_with_its_retries() -> None:
    report = read(
        status="FAILED",
        error="job timed out after 1 retries",
        delayTime=101050,
        executionTime=42078,
        retries=1,
        workerId="w",
    )
    assert report.state is JobState.FAILED
    assert (report.delay_ms, report.execution_ms, report.retries) == (101050, 42078, 1)


def test_completed_with_an_error_and_nothing_else_is_a_failure() -> None:
    assert read(status="COMPLETED", error="boom").state is JobState.FAILED
    assert read(status="COMPLETED", error="boom", output=1).state is JobState.COMPLETED


def test_an_output_that_is_missing_is_not_null() -> None:
    assert read(status="COMPLETED").output is MISSING
    assert read(status="COMPLETED", output=None).output is None


@pytest.mark.parametrize(
    ("error", "text"),
    [("", None), (None, None), (["a"], '["a"]'), ({"message": "m"}, '{"message": "m"}')],
)
def test_errors_of_any_shape_become_text(error: Any, text: str | None) -> None:
    assert read(status="FAILED", error=error).error == text


def test_an_error_text_can_always_be_written_down() -> None:
    """PostgreSQL holds neither NUL nor lone surrogates; tracebacks of workers hold anything."""
    error = read(status="FAILED", error="bad \x00 byte \ud800").error
    assert error == "bad \ufffd byte \ufffd"


def test_an_error_text_is_kept_short() -> None:
    assert len(read(status="FAILED", error="x" * 10**6).error) == 4_000


@pytest.mark.parametrize("value", [None, "12", True, -1, float("nan"), float("inf"), {}])
def test_times_that_are_no_numbers_are_unknown(value: Any) -> None:
    report = read(status="COMPLETED", delayTime=value, executionTime=value, retries=value)
    assert (report.delay_ms, report.execution_ms, report.retries) == (None, None, 0)


def test_a_numeric_status_of_404_is_gone_even_with_http_200() -> None:
    assert read(status=404, title="Not Found").state is JobState.GONE


@pytest.mark.parametrize("body", [None, [], "text", {}, {"status": 500}, {"status": None}])
def test_what_is_no_job_object_is_refused(body: Any) -> None:
    with pytest.raises(ValueError, match="job object"):
        read_report(body, job_id="j")


def test_only_the_four_terminal_states_have_ended() -> None:
    assert {state for state in JobState if state.ended} == {
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.TIMED_OUT,
        JobState.CANCELLED,
    }
