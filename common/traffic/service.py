"""Allowances of callers (GCRA in one statement), and answers kept for requests that come again.

Reads are let in when the database cannot say; what moves money or makes something is not. Of tiers
that are asked often, a process takes several requests' worth at once and lets them in by itself:
never more than the allowance, all processes together.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from common import logs
from common.clock import Clock
from common.db import Database
from common.errors import IdempotencyKeyReused, RequestInFlight, Unavailable
from common.http.gate import Allowance, Earlier, Tier
from common.settings import Settings
from common.traffic import queries
from common.traffic.queries import Taken, forget

__all__ = ["PER_MINUTE", "Traffic", "forget"]

log = logs.Log("traffic")
# Requests a minute, which may also come all at once.
PER_MINUTE: dict[Tier, int] = {
    "public": 300,
    "read": 600,
    "write": 120,
    "start": 120,
    "auth": 20,
    "refused": 30,
    "webhook": 6000,
}
SHARED: frozenset[Tier] = frozenset({"public", "read", "webhook"})
OPEN: frozenset[Tier] = frozenset({"public", "read", "refused", "webhook"})
# A thirtieth of a minute's worth is taken ahead, for two seconds.
AHEAD, AHEAD_SECONDS = 30, 2.0
REMEMBERED_CALLERS = 10_000
# The longest is a test run's, whose result has up to 4 MiB beside its media (executions/media.py).
LONGEST_ANSWER = 5 * 1024 * 1024


@dataclass
class _Ahead:
    """Requests of one caller that this process may let in by itself until `ends_at`."""

    left: int
    ends_at: float
    taken: Taken


class Traffic:
    """The gate of all functions (common.http.gate.Gate); one per process."""

    def __init__(self, db: Database, settings: Settings, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._scale = settings.rate_limit_scale
        self._ahead: OrderedDict[str, _Ahead] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, tier: Tier, caller: str) -> Allowance | None:
        """What common.http.gate says; nothing limits where RATE_LIMIT_SCALE is 0."""
        if not self._scale:
            return None
        most = max(1, round(PER_MINUTE[tier] * self._scale))
        try:
            taken = self._taken(tier, f"{tier}:{caller}", most)
        except (SQLAlchemyError, OSError) as error:
            if tier not in OPEN:
                raise Unavailable from error
            log.warning("limit not checked", tier=tier, reason=type(error).__name__)
            return None
        if not taken.granted:
            log.info("caller limited", tier=tier)
        return Allowance(
            tier=tier,
            per_minute=most,
            allowed=taken.granted > 0,
            remaining=taken.remaining,
            wait_seconds=taken.wait_seconds,
            full_seconds=taken.full_seconds,
        )

    def begin(self, owner: str, key: str, request_hash: bytes) -> Earlier | None:
        """What common.http.gate says."""
        with self._db.step() as connection:
            begun = queries.begin(
                connection, owner, key, request_hash=request_hash, now=self._clock.now()
            )
        match begun.outcome:
            case "running":
                raise RequestInFlight
            case "reused":
                raise IdempotencyKeyReused
            case "replay":
                return Earlier(int(begun.status or 200), str(begun.answer))
        return None

    def finish(self, owner: str, key: str, status: int, answer: str) -> None:
        """What common.http.gate says. The deed is done, so that it cannot be kept is no failure."""
        if len(answer) > LONGEST_ANSWER:
            log.error("answer too long to be kept", length=len(answer))
            return
        try:
            with self._db.step() as connection:
                queries.finish(connection, owner, key, status=status, answer=answer)
        except (SQLAlchemyError, OSError) as error:
            log.error("answer not kept", exception=error)

    def abandon(self, owner: str, key: str) -> None:
        """What common.http.gate says."""
        try:
            with self._db.step() as connection:
                queries.abandon(connection, owner, key)
        except (SQLAlchemyError, OSError) as error:
            log.warning("key not freed", reason=type(error).__name__)

    def _taken(self, tier: Tier, key: str, most: int) -> Taken:
        cells = max(1, most // AHEAD) if tier in SHARED else 1
        now = self._clock.now()
        if cells > 1 and (had := self._from_ahead(key, now.timestamp())) is not None:
            return had
        with self._db.step() as connection:
            taken = queries.take(
                connection,
                key,
                interval=timedelta(minutes=1) / most,
                burst=most,
                cells=cells,
                now=now,
            )
        if taken.granted > 1:
            self._keep_ahead(key, taken, now.timestamp())
        return taken

    def _from_ahead(self, key: str, now: float) -> Taken | None:
        with self._lock:
            ahead = self._ahead.get(key)
            if ahead is None or ahead.left == 0 or ahead.ends_at <= now:
                return None
            ahead.left -= 1
            return ahead.taken._replace(remaining=ahead.taken.remaining + ahead.left)

    def _keep_ahead(self, key: str, taken: Taken, now: float) -> None:
        with self._lock:
            self._ahead[key] = _Ahead(taken.granted - 1, now + AHEAD_SECONDS, taken)
            self._ahead.move_to_end(key)
            while len(self._ahead) > REMEMBERED_CALLERS:
                self._ahead.popitem(last=False)
