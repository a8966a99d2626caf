"""Takes everything back: what there is to undo is looked up, since an answer may have been lost.

All of it may be repeated: each deed has a reference that belongs to this verification alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.calling import CallFailed
from infra.verifying.checklist import Check, CheckFailed
from infra.verifying.visit import ENDED, GIVEN, MARKET, REASON, STAFF, STUDIO, Visit, insist

NOTHING = "there was nothing to undo"


class Undoing:
    """The way back. Each step tries all that it can, and names what it could not do."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def checks(self) -> list[Check]:
        """In this order: nothing new starts meanwhile, and refunds come before the rest."""
        return [
            ("the model is off the market", self._archive),
            ("no run is left going", self._end_runs),
            ("what runs cost is given back", self._refund_runs),
            ("what was paid is given back", self._refund_purchase),
            ("the given credits are taken back", self._take_back),
            ("the model is deleted", self._delete),
        ]

    def _archive(self) -> str:
        model = self._model()
        if model is None or model["status"] != "PUBLISHED":
            return NOTHING
        path = f"{STUDIO}/tars-models/{model['id']}/archive"
        insist(lambda: self._visit.developer.call("POST", path))
        return f"{model['slug']} is archived"

    def _delete(self) -> str:
        model = self._model()
        if model is None:
            return NOTHING
        path = f"{STUDIO}/tars-models/{model['id']}"
        insist(lambda: self._visit.developer.call("DELETE", path))
        return f"{model['slug']} is deleted"

    def _model(self) -> dict[str, Any] | None:
        return self._visit.model() if "developer" in self._visit.notes else None

    def _runs(self) -> list[dict[str, Any]]:
        return self._visit.runs() if "consumer" in self._visit.notes else []

    def _end_runs(self) -> str:
        going = [run["id"] for run in self._runs() if run["status"] not in ENDED]
        _each(going, self._cancel)
        return f"{len(going)} were cancelled" if going else NOTHING

    def _cancel(self, run_id: str) -> None:
        """Cancels a run and waits for its end."""
        try:
            insist(lambda: self._visit.consumer.call("POST", f"{MARKET}/runs/{run_id}/cancel"))
        except CallFailed as failure:
            if failure.status != 409:  # it has ended meanwhile
                raise
        self._visit.run_ended(run_id)

    def _refund_runs(self) -> str:
        charged = [run for run in self._runs() if run["billing"]["state"] == "CAPTURED"]
        _each([run["id"] for run in charged], self._refund_run)
        given_back = sum(run["billing"]["capturedCredits"] for run in charged)
        return f"{given_back} credits of {len(charged)} runs" if charged else NOTHING

    def _refund_run(self, run_id: str) -> None:
        body = {"reference": self._visit.reference(f"refund {run_id}"), "reason": REASON}
        path = f"{STAFF}/runs/{run_id}/refund"
        insist(lambda: self._visit.staff.call("POST", path, body))

    def _refund_purchase(self) -> str:
        it = self._visit
        if "purchase" not in it.notes:
            return NOTHING
        purchase = it.notes["purchase"]
        found = insist(lambda: it.consumer.call("GET", f"{MARKET}/credits/purchases/{purchase}"))
        if found["status"] != "paid":
            return f"the order is {found['status']}; unpaid, it ends by itself"
        body = {"reference": it.reference("money back"), "reason": REASON}
        insist(lambda: it.staff.call("POST", f"{STAFF}/purchases/{purchase}/refund", body))
        return f"{found['amountPaidDisplay']} of {purchase}"

    def _take_back(self) -> str:
        it = self._visit
        if "consumer" not in it.notes or not self._was_given():
            return NOTHING
        body = {
            "consumerId": it.notes["consumer"],
            "credits": -GIVEN,
            "reason": REASON,
            "reference": it.reference("taken back"),
        }
        insist(lambda: it.staff.call("POST", f"{STAFF}/credits/adjustments", body))
        return f"{GIVEN} credits"

    def _was_given(self) -> bool:
        it = self._visit
        lines = insist(lambda: it.consumer.call("GET", f"{MARKET}/credits/statement?limit=100"))
        return any(line["reference"] == it.reference("present") for line in lines)


def _each(run_ids: list[str], undo: Callable[[str], None]) -> None:
    """All of them, also after a failure. Raises CheckFailed with every failure."""
    failures = []
    for run_id in run_ids:
        try:
            undo(run_id)
        except (CallFailed, CheckFailed) as failure:
            failures.append(f"{run_id}: {failure}")
    if failures:
        raise CheckFailed("; ".join(failures))
