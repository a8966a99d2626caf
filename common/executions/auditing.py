"""The books checked: every invariant of ledger and executions, and what breaks it."""

from dataclasses import dataclass, field

from common import logs
from common.credits import service as ledger
from common.credits.service import Violation
from common.executions import queries
from common.executions.schemas import AuditOut, InvariantOut, ViolationOut
from common.executions.tools import Tools
from common.payments import service as payments

log = logs.Log("cleanup")
EXAMPLES = 20  # shown of each broken invariant; the count says how many there are
# money-and-faults.md 1.5. The views of functions.sql begin each rule with one of these codes.
INVARIANTS = {
    "I1": "every balance is the sum of its postings",
    "I2": "all balances of a unit sum to zero",
    "I3": "what is pending on an account is the sum of its open holds",
    "I4": "no guarded account is below zero",
    "I5": "a captured hold is exactly the developer's share and the platform's fee",
    "I6": "an execution's end, its hold and its one announcement agree",
    "I7": "no hold is open 5 minutes past its time",
    "I8": "Stripe's books and ours agree, three days later at the latest",
    "I9": "payments at Stripe and paid purchases are the same, a day later at the latest",
    "I10": "what a developer is owed is what was earned less what was paid",
    "I11": "our books were compared with Stripe's in the last 3 hours",
}


@dataclass
class Invariant:
    """One rule and what breaks it; must be empty."""

    code: str
    promise: str
    broken: list[Violation] = field(default_factory=list)


def invariants(tools: Tools) -> list[Invariant]:
    """Every invariant, checked now, whether it holds or not."""
    found = {code: Invariant(code, promise) for code, promise in INVARIANTS.items()}
    with tools.db.step() as connection:
        broken = [
            *ledger.violations(connection),
            *payments.violations(tools, connection),
            *queries.violations(connection),
        ]
    for rule, what, difference in broken:
        found[rule.split()[0]].broken.append(Violation(rule, what, difference))
    return list(found.values())


def audit(tools: Tools) -> int:
    """Counts broken invariants and says each at CRITICAL; must be 0."""
    broken = [each for invariant in invariants(tools) for each in invariant.broken]
    for rule, what, difference in broken:
        log.critical("invariant broken", rule=rule, what=what, difference=difference)
    return len(broken)


def audit_shown(tools: Tools) -> AuditOut:
    """The same for staff, with examples."""
    found = [_shown(each) for each in invariants(tools)]
    return AuditOut(
        checked_at=tools.clock.now(),
        violations=sum(each.violations for each in found),
        invariants=found,
    )


def _shown(invariant: Invariant) -> InvariantOut:
    return InvariantOut(
        code=invariant.code,
        promise=invariant.promise,
        violations=len(invariant.broken),
        examples=[
            ViolationOut(rule=rule, what=what, difference=difference)
            for rule, what, difference in invariant.broken[:EXAMPLES]
        ],
    )
