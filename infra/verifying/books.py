"""How everything stood before, and whether it stands so again."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

from infra.verifying.checklist import Check, CheckFailed, expect
from infra.verifying.visit import MARKET, STAFF, STUDIO, Visit, insist, until

KEPT_SECONDS = 30.0  # how long an answer of the public catalogue may be kept, generously
PAGE = 100
DIFFERENCES = f"{STAFF}/differences?limit={PAGE}"
DEEDS = ("present", "taken back", "money back")
Standing = dict[str, Any]


class Books:
    """Looks before and after; what the looks before did not get is not compared."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def accounts(self) -> list[Check]:
        """Registers the two people; again, they are the same."""
        return [
            ("the consumer has an account", self._consumer),
            ("the developer has an account", self._developer),
        ]

    def before(self) -> list[Check]:
        """Notes how the two people and the books stand."""
        return [
            ("the consumer's wallet can be used", self._wallet_before),
            ("the developer's earnings are shown", self._earnings_before),
            ("staff see the audit clean", self._audit),
            ("staff see what differs", self._differences_before),
        ]

    def after(self) -> list[Check]:
        """Whether all is as it was."""
        return [
            ("the wallet is as it was", self._wallet_after),
            ("the earnings are as they were", self._earnings_after),
            ("no books differ that did not before", self._differences_after),
            *self.in_itself(),
        ]

    def in_itself(self) -> list[Check]:
        """What can be said without a look before."""
        return [
            ("the catalogue does not have the model", self._catalogue_after),
            ("the audit is clean", self._audit),
            ("what stays by design comes to nothing", self._remains),
        ]

    def _consumer(self) -> str:
        account = self._visit.consumer.call("POST", f"{MARKET}/auth/register", {})
        self._visit.notes["consumer"] = account["id"]
        return str(account["id"])

    def _developer(self) -> str:
        account = self._visit.developer.call("POST", f"{STUDIO}/auth/register", {"email": ""})
        self._visit.notes["developer"] = account["id"]
        return str(account["id"])

    def _wallet_before(self) -> str:
        _ = self._visit.notes["consumer"]
        wallet = self._wallet()
        # A present would settle a debt, and could not be taken back.
        clear = (wallet["owed"], wallet["held"], wallet["frozen"]) == (0, 0, False)
        expect(clear, f"take a consumer with nothing owed, held or frozen: {wallet}")
        self._visit.notes["wallet"] = wallet
        return str(wallet["displayBalance"])

    def _wallet_after(self) -> str:
        earlier, now = self._visit.notes["wallet"], self._wallet()
        expect(now == earlier, f"it was {earlier} and is {now}")
        return str(now["displayBalance"])

    def _wallet(self) -> Standing:
        found: Standing = insist(lambda: self._visit.consumer.call("GET", f"{MARKET}/credits"))
        return found

    def _earnings_before(self) -> str:
        _ = self._visit.notes["developer"]
        earnings = self._visit.notes["earnings"] = self._earnings()
        return f"{earnings['totalEarnings']} cents"

    def _earnings_after(self) -> str:
        earlier, now = self._visit.notes["earnings"], self._earnings()
        expect(now == earlier, f"they were {earlier} and are {now}")
        return f"{now['totalEarnings']} cents"

    def _earnings(self) -> Standing:
        """What is due and what is not yet in one sum: time alone moves it from one to the other."""
        found = insist(lambda: self._visit.developer.call("GET", f"{STUDIO}/earnings"))
        return {
            "totalEarnings": found["totalEarnings"],
            "unpaid": found["availableBalance"] + found["pendingBalance"],
            "models": insist(lambda: self._visit.developer.call("GET", f"{STUDIO}/auth/me"))[
                "modelCount"
            ],
        }

    def _catalogue_after(self) -> str:
        path = f"{MARKET}/models/{self._visit.slug}"

        def gone() -> bool | None:
            status = insist(lambda: self._visit.anybody.ask("GET", path)).status_code
            return True if status == 404 else None

        until(gone, seconds=KEPT_SECONDS, what="it is still offered and did not go")
        return f"there is no {self._visit.slug}"

    def _audit(self) -> str:
        found = insist(lambda: self._visit.staff.call("GET", f"{STAFF}/audit"))
        broken = [it for it in found["invariants"] if it["violations"]]
        expect(not broken, f"broken: {broken}")
        return f"{len(found['invariants'])} invariants hold"

    def _differences_before(self) -> str:
        known = self._visit.notes["differences"] = self._differences()
        return f"{len(known)} known"

    def _differences_after(self) -> str:
        known = self._visit.notes["differences"]
        new = self._differences() - known
        expect(not new, f"new: {sorted(new)}")
        return "none"

    def _differences(self) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for page in itertools.count(1):
            rows = insist(partial(self._visit.staff.call, "GET", f"{DIFFERENCES}&page={page}"))
            found |= {(row["kind"], row["what"]) for row in rows}
            if len(rows) < PAGE:
                break
        return found

    def _remains(self) -> str:
        """Ledger and audit log are never rewritten: what was done and undone stays in them."""
        it = self._visit
        _ = it.notes["consumer"]
        runs = {run["id"] for run in it.runs()}
        ours = runs | {it.reference(deed) for deed in DEEDS}
        ours.add(it.notes.get("purchase"))
        statement = insist(lambda: it.consumer.call("GET", f"{MARKET}/credits/statement?limit=100"))
        entries = [entry for entry in statement if entry["reference"] in ours]
        total = sum(entry["credits"] for entry in entries)
        if total:
            raise CheckFailed(f"the {len(entries)} ledger entries come to {total} credits")
        parts = [f"{len(entries)} entries on the statement", f"{len(runs)} runs", "two accounts"]
        if "purchase" in it.notes:
            parts.append("an order")
        return f"{', '.join(parts)}, and what staff did in their record"
