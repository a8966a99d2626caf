"""What must be true, whatever happened: conservation, and agreement with a small model.

The model is what really happened: which jobs ran at the simulated RunPod, what each consumer was
given, and what each was told. The database is read without faults, as the application role.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import text

from common.credits.service import MICRO_CREDITS
from common.db import Database
from tests.factories import NOW
from tests.simulation.consumers import Request
from tests.simulation.installation import Installation

GRACE_S = 120
WASTE_S = 600
FEE_BPS = 3_000
# An attempt whose deadline is over is ended by the next look, and looks are 120 s apart at most;
# outages of RunPod (6 minutes) and a few lost wake-ups may come on top.
DEADLINE_GRACE_S = 900

_BOOKS = """
  SELECT rule, what, difference FROM ledger.violation
  UNION ALL SELECT rule, what, difference FROM execution_violation
"""
_NEVER_ROWS = {
    "an execution is still live": "SELECT id FROM executions WHERE phase <> 'done'",
    "an execution ended too late": f"""
      SELECT id FROM executions WHERE finished_at > expires_at + interval '{GRACE_S} seconds'""",
    "an execution outlived its attempt's deadline": f"""
      SELECT e.id FROM executions e JOIN attempts a ON a.execution_id = e.id AND a.n = e.attempts
       WHERE e.finished_at > a.deadline_at + interval '{DEADLINE_GRACE_S} seconds'
         AND a.looked_at > a.deadline_at + interval '{DEADLINE_GRACE_S // 2} seconds'""",
    "an execution was not announced once": """
      SELECT e.id FROM executions e LEFT JOIN announcements a ON a.execution_id = e.id
       GROUP BY e.id HAVING count(a.id) <> 1""",
    "an execution was announced otherwise": """
      SELECT e.id FROM executions e JOIN announcements a ON a.execution_id = e.id
       WHERE a.status <> e.status OR a.at <> e.finished_at""",
    "an execution ended twice": """
      SELECT execution_id FROM execution_events
       WHERE effect IN ('completed', 'failed', 'timed_out', 'cancelled', 'expired', 'lost:failed')
       GROUP BY execution_id HAVING count(*) > 1""",
    "more than three attempts": """
      SELECT execution_id FROM attempts GROUP BY execution_id HAVING count(*) > 3""",
    "an attempt without an execution to match": """
      SELECT e.id FROM executions e
        JOIN (SELECT execution_id, max(n) AS n, count(*) AS c FROM attempts GROUP BY 1) a
          ON a.execution_id = e.id WHERE a.n <> e.attempts OR a.c <> a.n""",
    "the outbox is not empty": "SELECT ref FROM outbox",
    "a cancel was never sent": """
      SELECT id FROM attempts WHERE want_cancel AND job_id IS NOT NULL""",
    "a hold is open": "SELECT id FROM ledger.hold WHERE state = 'held'",
    "a hold was resolved the wrong way": """
      SELECT e.id FROM executions e LEFT JOIN ledger.hold h ON h.id = e.id
       WHERE h.amount IS DISTINCT FROM e.price OR h.state IS DISTINCT FROM
         CASE e.status WHEN 'COMPLETED' THEN 'captured' ELSE 'released' END""",
    "a run was not tallied once": """
      SELECT m.id FROM tars_models m LEFT JOIN tars_model_stats s ON s.tars_model_id = m.id
       WHERE coalesce(s.total_runs, 0) + (SELECT count(*) FROM run_tally t
                                           WHERE t.tars_model_id = m.id)
          <> (SELECT count(*) FROM executions e
               WHERE e.tars_model_id = m.id AND e.status = 'COMPLETED')""",
}
_POSTED = """
  SELECT ref, kind, sum(amount)::bigint AS amount, count(*) AS legs FROM ledger.transfer
   WHERE kind IN ('capture_developer', 'capture_platform') GROUP BY ref, kind
"""
_EXECUTIONS = """
  SELECT e.id::text AS id, e.status, e.price, e.consumer_id::text AS consumer_id,
         e.inputs->>'prompt' AS request, e.output, e.error_code, e.finished_at
    FROM executions e ORDER BY e.created_at, e.id
"""
_WALLETS = """
  SELECT owner_id::text AS owner, posted, pending FROM ledger.balance WHERE kind = 'wallet'
"""
_ATTEMPTS = """
  SELECT e.inputs->>'prompt' AS request, a.job_id, a.begun_at, e.finished_at, e.status
    FROM attempts a JOIN executions e ON e.id = a.execution_id ORDER BY a.begun_at, a.id
"""
_ALL_ACCOUNTS = "SELECT coalesce(sum(posted), 0)::bigint FROM ledger.balance"


class Oracle:
    """Reads the database and compares; every answer is a list of broken promises."""

    def __init__(self, place: Installation) -> None:
        self._place = place
        self._db = Database(place.runtime.settings)

    def close(self) -> None:
        self._db.dispose()

    def books(self) -> list[str]:
        """What must hold at any moment."""
        broken = [f"{rule}: {what} {difference}" for rule, what, difference in self._rows(_BOOKS)]
        total = self._rows(_ALL_ACCOUNTS)[0][0]
        return broken + ([f"all accounts sum to {total}"] if total else [])

    def live(self) -> bool:
        """Whether anything is still to be done."""
        return bool(self._rows("SELECT 1 FROM executions WHERE phase <> 'done' LIMIT 1"))

    def end(self) -> list[str]:
        """What must hold once all is quiet."""
        executions = self._rows(_EXECUTIONS)
        return [
            *self.books(),
            *self._never_rows(),
            *self._wallets(executions),
            *self._postings(executions),
            *self._requests(executions),
            *self._results(executions),
            *self._attempts(),
            *self._watchers(len(executions)),
        ]

    def tally(self) -> dict[str, int]:
        """How the executions ended and how many attempts they took."""
        counted = self._rows("SELECT status, count(*) FROM executions GROUP BY 1 ORDER BY 1")
        attempts = self._rows("SELECT count(*) FROM attempts")[0][0]
        late = self._rows(
            "SELECT count(*) FROM execution_events WHERE effect IN ('late', 'stale', 'mismatch')"
        )
        return {
            **dict(map(tuple, counted)),
            "attempts": attempts,
            "late, stale or mismatched reports": late[0][0],
            "good results not delivered": self._wasted(),
        }

    def _wasted(self) -> int:
        """Good results, of jobs that we knew in time, of runs that ended without one.

        None is lost without a cause: a job that stays unknown for too long, progress that is told
        over its result, a long outage of the storage.
        """
        jobs, wasted = self._place.runtime.sim_runpod.jobs, 0
        for each in self._rows(_ATTEMPTS):
            job = jobs.get(each.job_id or "")
            if job and job.good and job.over == job.ends and each.status in {"FAILED", "TIMED_OUT"}:
                wasted += job.ends + 5 < _seconds(each.finished_at)
        return wasted

    def _never_rows(self) -> Iterator[str]:
        for promise, query in _NEVER_ROWS.items():
            found = self._rows(query)
            if found:
                yield f"{promise}: {len(found)}, e.g. {found[0][0]}"

    def _wallets(self, executions: list[Any]) -> Iterator[str]:
        """Granted minus the price of what was completed is what is left, to the micro-credit."""
        left = {c.id: c.granted * MICRO_CREDITS for c in self._place.consumers}
        for each in executions:
            if each.status == "COMPLETED":
                left[each.consumer_id] -= each.price
        found = {row.owner: row for row in self._rows(_WALLETS)}
        for consumer_id, amount in left.items():
            row = found.get(consumer_id)
            if row is None or (row.posted, row.pending) != (amount, 0):
                yield f"wallet of {consumer_id}: {row and tuple(row)}, expected {amount}"

    def _postings(self, executions: list[Any]) -> Iterator[str]:
        """The developer's and the platform's parts, posted once each, sum to the price."""
        posted = {(str(row.ref), row.kind): (row.amount, row.legs) for row in self._rows(_POSTED)}
        for each in executions:
            fee = each.price * FEE_BPS // 10_000 if each.status == "COMPLETED" else 0
            price = each.price if each.status == "COMPLETED" else 0
            parts = {"capture_platform": fee, "capture_developer": price - fee}
            for kind, amount in parts.items():
                found = posted.pop((each.id, kind), (0, 0))
                if found != ((amount, 1) if amount else (0, 0)):
                    yield f"{kind} of {each.id}: {found}, expected {amount}"
        yield from (f"posting without execution: {key}" for key in posted)

    def _requests(self, executions: list[Any]) -> Iterator[str]:
        """Each wish is at most one run; an answer that promised one, or none, was true."""
        made: dict[str, list[Any]] = {}
        for each in executions:
            made.setdefault(each.request, []).append(each)
        for request in self._place.crowd.requests:
            found = made.pop(request.name, [])
            yield from self._request(request, found)
        yield from (f"execution of nobody: {name}" for name in made)

    def _request(self, request: Request, found: list[Any]) -> Iterator[str]:
        if len(found) > 1:
            yield f"{request.name} became {len(found)} runs"
        if request.refused and found:
            yield f"{request.name} was refused for want of credits and yet runs"
        if request.execution_id and request.execution_id not in {each.id for each in found}:
            yield f"{request.name} was accepted as {request.execution_id}, which is not there"
        if request.final and found and request.final != found[0].status:
            yield f"{request.name} was {request.final} and became {found[0].status}"

    def _results(self, executions: list[Any]) -> Iterator[str]:
        """A paid result is what a job of this very request made, and it lies in our storage."""
        runtime = self._place.runtime
        for each in executions:
            if each.status != "COMPLETED":
                continue
            jobs = runtime.sim_runpod.of_request.get(each.request, [])
            digests = {job.sha256 for job in jobs if job.good}
            media = each.output.get("outputs") or [{"sha256": "none", "object": ""}]
            for medium in media:
                stored = runtime.sim_storage.objects.get(medium["object"])
                if medium["sha256"] not in digests or stored != medium["sha256"]:
                    yield f"{each.id} delivered what no job of it made"

    def _attempts(self) -> Iterator[str]:
        """A cancelled run begins no more attempts, and a job nobody waits for is stopped."""
        place = self._place
        cancels = {each.name: each.cancelled_at for each in place.crowd.requests}
        for each in self._rows(_ATTEMPTS):
            cancelled_at = cancels.get(each.request)
            if cancelled_at is not None and _seconds(each.begun_at) > cancelled_at:
                yield f"{each.request} was cancelled and begun again"
            job = place.runtime.sim_runpod.jobs.get(each.job_id or "")
            waste = job.over - _seconds(each.finished_at) if job and each.finished_at else 0
            if job and waste > WASTE_S and not job.cancel_asked:
                yield f"{each.request} ended and its job ran on for {waste:.0f} s"

    def _watchers(self, executions: int) -> Iterator[str]:
        place = self._place
        yield from place.doors.unexpected
        yield from place.crowd.contradictions
        yield from place.staff.refused
        yield from place.scheduled.alarms
        yield from place.runtime.sim_runpod.unguarded
        runpod = place.runtime.sim_runpod
        yield from runpod.webhooks.believed
        if len(runpod.unjustified) > max(3, executions // 100):
            yield f"{len(runpod.unjustified)} GPU jobs without a reason"

    def _rows(self, query: str) -> list[Any]:
        with self._db.step() as connection:
            return list(connection.execute(text(query)))


def _seconds(moment: datetime) -> float:
    return (moment - NOW).total_seconds()
