"""The ledger's parts, called as executions call them: only their owner may."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from common.credits import queries
from tests.factories import NOW


@dataclass
class Ledger:
    """Every method is one call of one function, or one read. Amounts are micro-credits."""

    owner: Connection

    def _call(self, call: str, **parameters: Any) -> Any:
        return self.owner.scalar(text(f"SELECT ledger.{call}"), parameters)

    def grant(self, ref: uuid.UUID, consumer_id: uuid.UUID, amount: int) -> bool:
        return queries.grant(
            self.owner,
            ref=ref,
            consumer_id=consumer_id,
            amount=amount,
            actor="staff",
            reason="a test",
            now=NOW,
        )

    def funded(self, amount: int) -> uuid.UUID:
        """A new consumer's id, with that much in the wallet."""
        consumer = uuid.uuid4()
        self.grant(uuid.uuid4(), consumer, amount)
        return consumer

    def hold(self, hold: uuid.UUID, consumer_id: uuid.UUID, amount: int) -> str:
        return str(
            self._call(
                "place_hold(:id, ledger.account_of('wallet', :owner), :amount, :now, :now)",
                id=hold,
                owner=consumer_id,
                amount=amount,
                now=NOW,
            )
        )

    def held(self, consumer_id: uuid.UUID, amount: int) -> uuid.UUID:
        """The id of a new hold."""
        hold = uuid.uuid4()
        assert self.hold(hold, consumer_id, amount) == "held"
        return hold

    def capture(self, hold: uuid.UUID, developer_id: uuid.UUID, fee: int) -> str:
        return str(
            self._call(
                "capture(:id, :developer, :fee, :now)",
                id=hold,
                developer=developer_id,
                fee=fee,
                now=NOW,
            )
        )

    def release(self, hold: uuid.UUID) -> str:
        return str(self._call("release(:id, :now)", id=hold, now=NOW))

    def fold(self) -> int:
        return queries.fold(self.owner)

    def balance(self, kind: str, owner_id: uuid.UUID | None = None) -> int:
        """With what is not folded yet."""
        statement = (
            "SELECT coalesce(sum(posted), 0)::bigint FROM ledger.balance"
            " WHERE kind = :kind AND owner_id IS NOT DISTINCT FROM :owner"
        )
        return int(self.owner.scalar(text(statement), {"kind": kind, "owner": owner_id}))

    def folded(self, kind: str, owner_id: uuid.UUID | None = None) -> int:
        """What is in the balance's row itself."""
        statement = (
            "SELECT coalesce(sum(s.posted), 0)::bigint FROM ledger.account a"
            " JOIN ledger.account_state s ON s.account_id = a.id"
            " WHERE a.kind = :kind AND a.owner_id IS NOT DISTINCT FROM :owner"
        )
        return int(self.owner.scalar(text(statement), {"kind": kind, "owner": owner_id}))

    def pending(self, consumer_id: uuid.UUID) -> int:
        statement = "SELECT pending FROM ledger.balance WHERE kind = 'wallet' AND owner_id = :owner"
        return int(self.owner.scalar(text(statement), {"owner": consumer_id}) or 0)

    def broken(self) -> set[str]:
        """The numbers of the broken invariants."""
        return {violation.rule.split()[0] for violation in queries.violations(self.owner)}
