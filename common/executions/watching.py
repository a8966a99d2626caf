"""Hops 3 to 5: hearing of a job, looking at it with our own key, and settling its execution.

A callback is a hint; the truth is `GET /status`. Polls and callbacks end in the same look.
"""

import hmac
import uuid
from datetime import timedelta

from common import logs
from common.executions import queries
from common.executions.alarms import follow, set_alarm
from common.executions.queries import AttemptContext, Observed
from common.executions.results import NO_GPU, Verdict, judge, must_be_fetched
from common.executions.submitting import submit, token_hash
from common.executions.tools import Tools
from common.gateways.errors import GatewayError
from common.gateways.runpod import JobReport, JobState, RunPodUnavailable
from common.tracing import step

log = logs.Log("executions")
# Effects of an observation that end a run; the database names them.
ENDS = {"completed", "failed", "cancelled", "timed_out"}
LEASE = timedelta(seconds=30)
# A job may be unknown for a while after its submit (runpod.md P7); before this age 404 is no end.
PROPAGATION = timedelta(seconds=120)
# A job that is to be stopped may come into sight later still; until then it is asked for again.
UNSEEN = timedelta(minutes=5)
CANCELS_PER_SWEEP = 100
# Then RunPod is away, and each further try would cost half a minute.
MOST_FAILED_CANCELS = 3


def hear(tools: Tools, attempt_id: uuid.UUID, token: str, told: str | None) -> bool:
    """RunPod called back. False when the URL is not one we gave out; else it was dealt with.

    Nothing in the body is believed but the job's id (`told`), and that only while we do not
    know it.
    """
    with tools.db.step() as connection:
        attempt = queries.attempt_context(connection, attempt_id)
    if attempt is None or not hmac.compare_digest(attempt.token_hash, token_hash(token)):
        return False
    logs.add_to_log(executionId=str(attempt.execution_id))
    job_id = attempt.job_id or told
    if not job_id or told != job_id or len(job_id) > 128:
        log.warning("callback names another job", attemptId=attempt_id)
    elif attempt.state not in {"completed", "failed"}:  # of others it may be news, late as it is
        look(tools, attempt._replace(job_id=job_id), source="callback")
    return True


def watch(tools: Tools, execution_id: uuid.UUID) -> str:
    """An alarm rang: does what is due on an execution now and sets the next alarm."""
    now = tools.clock.now()
    with step(tools.traces, "settle") as traced, tools.db.step() as connection:
        tick = queries.tick(connection, execution_id, now)
        attempt = queries.attempt_context(connection, tick.attempt_id) if tick.attempt_id else None
        if tick.action in ENDS | {"expired"}:
            traced.of(execution_id, effect=tick.action)
    if attempt is not None:
        return look(tools, attempt, source="poll").effect
    if tick.action == "submit":
        return submit(tools, execution_id)
    if tick.action == "early" and tick.next_check_at is not None:
        set_alarm(tools, "/poll", execution_id, tick.next_check_at)
    elif tick.action != "none":
        send_cancels(tools, execution_id)
        follow(tools, execution_id)
    return tick.action


def refresh(tools: Tools, execution_id: uuid.UUID) -> None:
    """A waiting client asks for the newest state: looks at once, but not twice in 2 seconds."""
    with tools.db.step() as connection:
        attempt = queries.current_attempt(connection, execution_id)
    if attempt is None or attempt.phase != "watching" or attempt.job_id is None:
        return
    seen_at = attempt.looked_at or attempt.begun_at
    if tools.clock.now() - seen_at >= timedelta(seconds=2):
        look(tools, attempt, source="client")


def look(tools: Tools, attempt: AttemptContext, *, source: str) -> Observed:
    """Asks RunPod about an attempt's job and applies the answer.

    Any doubt leaves everything as it is: the lease ends and the next alarm asks again.
    """
    with step(tools.traces, source) as traced:
        traced.of(attempt.execution_id, attempt=attempt.n)
        seen = _look(tools, attempt, source)
        traced.of(attempt.execution_id, effect=seen.effect)
    return seen


def _look(tools: Tools, attempt: AttemptContext, source: str) -> Observed:
    assert attempt.job_id is not None, "an attempt without a job cannot be looked at"
    try:
        if attempt.cancel_requested and attempt.phase != "done":
            tools.runpod.cancel(attempt.runpod_endpoint_id, attempt.job_id)
        report = tools.runpod.status(attempt.runpod_endpoint_id, attempt.job_id)
        if source == "callback" and report.state is JobState.GONE:
            # Whoever calls may have invented the job: adopting it would keep the true one out.
            return Observed("unknown_job", None, False)
        if source != "poll" and _put_off(tools, attempt, report, source):
            return Observed("put_off", None, False)
        young = tools.clock.now() - attempt.begun_at < PROPAGATION
        if report.state is JobState.GONE and young and not attempt.cancel_requested:
            verdict = Verdict("QUEUED", {})
        else:
            verdict = judge(tools, attempt, report)
    except GatewayError as error:
        trouble = getattr(error, "trouble", type(error).__name__)
        log.warning("look without an answer", attemptId=attempt.attempt_id, trouble=trouble)
        if source == "poll":
            set_alarm(tools, "/poll", attempt.execution_id, tools.clock.now() + LEASE)
        return Observed("no_answer", None, False)
    return _apply(tools, attempt, attempt.job_id, verdict, source)


def _put_off(tools: Tools, attempt: AttemptContext, report: JobReport, source: str) -> bool:
    """Leaves a result behind links to an alarm: RunPod waits 10 s for our answer, not minutes.

    False when it has to be taken now: an attempt given up as lost is looked at by no alarm, and
    after its deadline a job that seems to go on would be timed out.
    """
    now = tools.clock.now()
    if now >= attempt.deadline_at or not must_be_fetched(attempt, report):
        return False
    if source == "client":  # may come every 2 seconds: the alarm that is set already is enough
        return True
    with tools.db.step() as connection:
        seen = queries.observe(
            connection,
            attempt.attempt_id,
            job_id=report.job_id,
            seen="RUNNING",
            source=source,
            details={},
            now=now,
        )
        if seen.effect == "alive":
            queries.hasten(connection, attempt.execution_id, now)
    if seen.effect == "alive":
        set_alarm(tools, "/poll", attempt.execution_id, now)
    return seen.effect != "stale"


def _apply(
    tools: Tools, attempt: AttemptContext, job_id: str, verdict: Verdict, source: str
) -> Observed:
    with step(tools.traces, "settle") as traced:
        with tools.db.step() as connection:
            seen = queries.observe(
                connection,
                attempt.attempt_id,
                job_id=job_id,
                seen=verdict.seen,
                source=source,
                details=verdict.details,
                now=tools.clock.now(),
            )
        if seen.effect in ENDS:
            traced.of(attempt.execution_id, effect=seen.effect)
    log.info(
        "job observed",
        executionId=str(attempt.execution_id),
        attemptId=attempt.attempt_id,
        source=source,
        seen=verdict.seen,
        effect=seen.effect,
        delayMs=verdict.details.get("delayMs") if seen.effect in ENDS else None,
        lagMs=_lag_ms(tools, attempt, verdict) if seen.effect in ENDS else None,
    )
    if seen.effect == "timed_out" and verdict.details.get("code") == NO_GPU.code:
        _say_why_queued(tools, attempt)
    _follow_up(tools, attempt, seen, source)
    begun = seen.effect == "alive" and verdict.seen == "RUNNING" and attempt.started_at is None
    if begun or seen.effect in ENDS:
        follow(tools, attempt.execution_id)
    return seen


def _lag_ms(tools: Tools, attempt: AttemptContext, verdict: Verdict) -> int | None:
    """How long after the job's end the consumer could see it; None when RunPod does not say."""
    waited, ran = verdict.details.get("delayMs"), verdict.details.get("executionMs")
    if waited is None or ran is None:
        return None
    ended_at = attempt.begun_at + timedelta(milliseconds=waited + ran)
    return max(0, round((tools.clock.now() - ended_at).total_seconds() * 1000))


def _follow_up(tools: Tools, attempt: AttemptContext, seen: Observed, source: str) -> None:
    """The next alarm. A callback or a client's look leaves the poll's own alarm alone."""
    if seen.effect == "alive" and source == "poll" and seen.next_check_at is not None:
        set_alarm(tools, "/poll", attempt.execution_id, seen.next_check_at)
        if attempt.polls == 0:
            set_alarm(tools, "/timeout", attempt.execution_id, attempt.deadline_at)
    elif seen.effect == "retry" and seen.next_check_at is not None:
        set_alarm(tools, "/submit", attempt.execution_id, seen.next_check_at)
    elif seen.leftovers:
        send_cancels(tools, attempt.execution_id)


def _say_why_queued(tools: Tools, attempt: AttemptContext) -> None:
    """For operators: RunPod scales idle endpoints down to nothing by itself (runpod.md 7, P1)."""
    try:
        trouble = str(tools.runpod.health(attempt.runpod_endpoint_id).queue_trouble)
    except RunPodUnavailable as error:
        trouble = str(error.trouble)
    log.error("no GPU took a job", endpoint=attempt.runpod_endpoint_id, trouble=trouble)


def send_cancels(tools: Tools, execution_id: uuid.UUID | None = None) -> int:
    """Stops jobs that nobody waits for, 100 at most: RunPod takes 100 in 10 s (runpod.md 1.5)."""
    with tools.db.step() as connection:
        jobs = queries.wanted_cancels(
            connection, execution_id=execution_id, limit=CANCELS_PER_SWEEP
        )
    sent = failed = 0
    for job in jobs:
        if failed == MOST_FAILED_CANCELS:
            break
        try:
            known = tools.runpod.cancel(job.runpod_endpoint_id, job.job_id)
        except RunPodUnavailable as error:
            log.warning("cancel not sent", attemptId=job.attempt_id, trouble=error.trouble)
            if error.passing:
                failed += 1
                continue
        else:
            if not known and tools.clock.now() - job.begun_at < UNSEEN:
                continue  # RunPod does not show it yet: it is asked again by the next sweep
        with tools.db.step() as connection:
            queries.cancel_sent(connection, job.attempt_id)
        sent += 1
    return sent
