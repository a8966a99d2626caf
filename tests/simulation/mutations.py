"""Our own guards, broken one by one: each mutation must be noticed, or it is no guard.

Most change the text of a step in functions.sql, and drop the constraint or trigger that stands
behind it where the question is whether anyone would notice without both.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.simulation.faults import ALL, Faults
from tests.simulation.installation import Installation
from tests.simulation.variants import (
    AlarmsAfterwards,
    BelievingCallback,
    BlindRunPod,
    HastyRunPod,
    HopefulStorage,
    OpenCallback,
)

EXECUTIONS, LEDGER, OUTBOX = "executions", "credits", "outbox"


@dataclass(frozen=True)
class Change:
    """A text of a slice's functions.sql and what takes its place."""

    slice: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutation:
    """What is broken, how, and the weather in which it shows soonest."""

    name: str
    changes: tuple[Change, ...] = ()
    dropped: tuple[str, ...] = ()
    vary: Callable[[Installation], None] = lambda _place: None
    more: dict[str, float] = field(default_factory=dict)
    executions: int = 150

    @property
    def faults(self) -> Faults:
        """The usual weather with some of it more often."""
        return replace(ALL, **self.more)


def _steps(old: str, new: str) -> tuple[Change, ...]:
    return (Change(EXECUTIONS, old, new),)


def _money(old: str, new: str) -> tuple[Change, ...]:
    return (Change(LEDGER, old, new),)


# The hard end of a run hides what else keeps it alive: without it each of those shows.
NO_HARD_END = _steps(
    "WHERE phase <> 'done' AND expires_at <= p_now", "WHERE false AND now() <= p_now"
)
TERMINAL = (
    Change(EXECUTIONS, "IF e.phase = 'done' THEN\n    effect := 'late';", "IF false THEN"),
    Change(EXECUTIONS, "ELSIF a.n <> e.attempts OR a.state NOT IN", "ELSIF false AND a.state IN"),
)
BEHIND_TERMINAL = (
    "DROP TRIGGER execution_moves_forward ON executions",
    "ALTER TABLE announcements DROP CONSTRAINT announcements_execution_id_key",
)


def _part(name: str, make: Callable[[Installation], Any]) -> Callable[[Installation], None]:
    """Replaces a part of the runtime by one that is made of it."""

    def vary(place: Installation) -> None:
        place.runtime.__dict__[name] = make(place)

    return vary


def _callback(make: Callable[[Installation], Any]) -> Callable[[Installation], None]:
    def vary(place: Installation) -> None:
        place.doors.functions["callback"] = make(place)

    return vary


MUTATIONS = (
    Mutation("terminal guard off, the database still refuses", changes=TERMINAL),
    Mutation("terminal guard off everywhere", changes=TERMINAL, dropped=BEHIND_TERMINAL),
    Mutation(
        "double capture",
        changes=(
            *TERMINAL,
            Change(
                LEDGER, "WHERE id = p_id AND state = 'held' RETURNING", "WHERE id = p_id RETURNING"
            ),
        ),
        dropped=(
            *BEHIND_TERMINAL,
            "DROP TRIGGER hold_resolves_once ON ledger.hold",
            "ALTER TABLE ledger.transfer DROP CONSTRAINT transfer_kind_ref_leg_key",
        ),
    ),
    Mutation(
        "release forgotten on time-out",
        changes=_steps(
            "ELSE\n      PERFORM ledger.release(e.id, p_now);",
            "ELSIF p_status <> 'TIMED_OUT' THEN\n      PERFORM ledger.release(e.id, p_now);",
        ),
    ),
    Mutation(
        "release forgotten on cancel",
        changes=_steps(
            "ELSE\n      PERFORM ledger.release(e.id, p_now);",
            "ELSIF p_status <> 'CANCELLED' THEN\n      PERFORM ledger.release(e.id, p_now);",
        ),
        more={"consumer_cancels": 0.3},
    ),
    Mutation(
        "a failed run is charged",
        changes=_steps(
            "IF p_status = 'COMPLETED' THEN\n      PERFORM ledger.capture",
            "IF p_status <> 'CANCELLED' THEN\n      PERFORM ledger.capture",
        ),
    ),
    Mutation(
        "remainder lost in the split",
        changes=_money(
            "INSERT INTO delta VALUES (account, whole - p_fee);",
            "INSERT INTO delta VALUES (account, whole - p_fee - 1);",
        ),
    ),
    Mutation(
        "another split than the frozen one",
        changes=_steps(
            "ledger.capture(e.id, e.developer_id, e.fee, p_now)",
            "ledger.capture(e.id, e.developer_id, e.fee / 2, p_now)",
        ),
    ),
    Mutation(
        "the fold loses a posting",
        changes=_money(
            "sum(amount)::bigint AS amount, count(*) AS rows",
            "max(amount)::bigint AS amount, count(*) AS rows",
        ),
    ),
    Mutation(
        "hold not taken",
        changes=_steps("PERFORM ledger.place_hold(", "PERFORM execution_mislaid("),
        dropped=(
            "CREATE FUNCTION execution_mislaid(uuid, bigint, bigint, timestamptz, timestamptz) "
            "RETURNS text LANGUAGE sql AS $$ SELECT 'held' $$",
        ),
    ),
    Mutation(
        "a hold beyond the balance, the database still refuses",
        changes=_money("AND NOT frozen AND posted - pending >= p_amount;", "AND NOT frozen;"),
        more={"consumer_poor": 0.8},
    ),
    Mutation(
        "a hold beyond the balance",
        changes=_money("AND NOT frozen AND posted - pending >= p_amount;", "AND NOT frozen;"),
        dropped=("ALTER TABLE ledger.account_state DROP CONSTRAINT never_overdrawn",),
        more={"consumer_poor": 0.8},
    ),
    Mutation(
        "a repeated grant is given again",
        changes=_money("post('grant', p_ref,", "post('grant', gen_random_uuid(),"),
        more={"crash": 0.1},
    ),
    Mutation(
        "idempotency key ignored",
        changes=_steps("IF p_key IS NOT NULL THEN", "IF false THEN"),
        executions=60,
    ),
    Mutation(
        "a fourth attempt",
        changes=(
            Change(EXECUTIONS, "e.attempts >= 3\n", "e.attempts >= 4\n"),
            Change(EXECUTIONS, "p_retryable AND e.attempts < 3", "p_retryable AND e.attempts < 4"),
        ),
        more={"job_failed": 0.6},
    ),
    Mutation(
        "lost attempt never retried",
        changes=(
            *NO_HARD_END,
            *_steps(
                "next_check_at = p_now + execution_submit_grace()",
                "next_check_at = p_now + interval '10 years'",
            ),
        ),
    ),
    Mutation(
        "a lease without end",
        changes=(
            *NO_HARD_END,
            *_steps(
                "SET next_check_at = p_now + interval '30 seconds' WHERE x.id = e.id",
                "SET next_check_at = p_now + interval '10 years' WHERE x.id = e.id",
            ),
        ),
    ),
    Mutation(
        "a start that nobody takes up",
        changes=(
            *NO_HARD_END,
            Change(
                EXECUTIONS,
                "INSERT INTO outbox (topic, ref, due_at) VALUES ('submit', p_new.id, p_now);",
                "",
            ),
            Change(
                EXECUTIONS,
                "gpu_price_of(p_new.base_model_id, p_now), p_now, p_now,",
                "gpu_price_of(p_new.base_model_id, p_now), p_now, p_now + interval '1 day',",
            ),
        ),
    ),
    Mutation(
        "deadline ignored",
        changes=_steps("AND p_now > a.deadline_at THEN", "AND false THEN"),
        more={"job_late_progress": 0.4, "webhook_dropped": 0.9},
        executions=100,
    ),
    Mutation(
        "expiry ignored",
        changes=(*NO_HARD_END, *_steps("IF p_now >= e.expires_at THEN", "IF false THEN")),
        more={"job_mute": 0.4},
        executions=20,
    ),
    Mutation(
        "want_cancel never noted",
        changes=_steps(
            "WHERE execution_id = e.id AND state IN ('intent', 'submitted', 'lost');",
            "WHERE false;",
        ),
        more={"job_stuck_in_queue": 0.3, "submit_answer_lost": 0.3, "job_hangs": 0.3},
        executions=500,
    ),
    Mutation(
        "a cancelled run is tried again",
        changes=_steps(
            "  IF e.cancel_requested THEN\n    PERFORM execution_finish",
            "  IF false THEN\n    PERFORM execution_finish",
        ),
        more={"consumer_cancels": 0.6},
    ),
    Mutation(
        "another attempt's job accepted",
        changes=_steps(
            "OR a.job_id <> p_job OR EXISTS (\n       SELECT 1 FROM attempts x WHERE",
            "OR a.job_id <> p_job OR EXISTS (\n       SELECT 1 FROM attempts x WHERE false AND",
        ),
        dropped=("ALTER TABLE attempts DROP CONSTRAINT attempts_runpod_endpoint_id_job_id_key",),
        more={"webhook_forged": 0.9},
        executions=400,
    ),
    Mutation(
        "the wire status goes back",
        changes=_steps(
            "WHEN execution_status_rank(p_seen) > execution_status_rank(status)",
            "WHEN true",
        ),
        more={"job_platform_retry": 0.9},
    ),
    Mutation(
        "the announcement forgotten",
        changes=_steps(
            "INSERT INTO announcements (execution_id, status, at) VALUES (e.id, p_status, p_now);",
            "",
        ),
        executions=50,
    ),
    Mutation("blind retry of submit", vary=_part("runpod", BlindRunPod)),
    Mutation("alarm after the call", vary=AlarmsAfterwards.take_over, executions=50),
    Mutation(
        "callback trusted without re-reading",
        vary=_callback(BelievingCallback),
        more={"webhook_forged": 0.3},
    ),
    Mutation(
        "callback's token not checked", vary=_callback(OpenCallback), more={"webhook_forged": 0.3}
    ),
    Mutation(
        "a young job's 404 believed", vary=_part("runpod", HastyRunPod), more={"job_hidden": 0.2}
    ),
    Mutation(
        "settled before its media are stored",
        vary=_part("storage", HopefulStorage),
        more={"storage_error": 0.2},
    ),
)
