"""The consumer's part: credits, a run with its result and its money, a run that is cancelled."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

import requests

from infra.calling import CallFailed
from infra.verifying.checklist import Check, CheckFailed, expect
from infra.verifying.visit import CANCEL_TRIES, GIVEN, MARKET, PRICE, STAFF, STUDIO, Visit

FETCH_SECONDS = 60
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Consuming:
    """Gets credits and spends them."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def checks(self) -> list[Check]:
        """In the order in which they are made."""
        return [
            ("staff give credits, once per reference", self._present),
            ("Checkout opens for a purchase", self._checkout),
            ("a quote says what a run costs", self._quote),
            ("a run starts, and its repetition is the same run", self._start),
            ("the run ends well", self._end),
            ("its result can be fetched whole", self._result),
            ("its receipt adds up", self._receipt),
            ("the statement shows what it cost", self._statement),
            ("the developer sees the earning", self._earning),
            ("a cancelled run costs nothing", self._cancel),
        ]

    def _present(self) -> str:
        it = self._visit
        _ = it.notes["wallet"]
        order = {
            "consumerId": it.notes["consumer"],
            "credits": GIVEN,
            "reason": "infra/verify: taken back when it has ended",
            "reference": it.reference("present"),
        }
        first, again = (it.staff.call("POST", f"{STAFF}/credits/grants", order) for _ in range(2))
        it.notes["present"] = GIVEN
        expect(first["grantedNow"] and not again["grantedNow"], f"{first}, then {again}")
        wanted = it.notes["wallet"]["balance"] + GIVEN
        expect(again["newBalance"] == wanted, f"{again['newBalance']} credits, not {wanted}")
        return f"{GIVEN} credits, asked for twice, came once"

    def _checkout(self) -> str:
        it = self._visit
        _ = it.notes["wallet"]
        opened = self._opened()
        page, cents = str(opened["checkoutUrl"]), opened["priceCents"]
        expect(opened["status"] == "pending", f"it is {opened['status']}")
        stand_in = it.notes["environment"] == "local" and urlsplit(page).hostname in LOOPBACK
        # Only staff can send money back: those who could not give credits could not do that either.
        if not stand_in or "present" not in it.notes:
            return f"{urlsplit(page).hostname} asks for {cents} cents; nothing is paid"
        return self._pay(page, cents)

    def find_order(self) -> str:
        """The order of a verification that was killed; if it had none, one that nobody pays."""
        return str(self._opened()["status"])

    def _opened(self) -> dict[str, Any]:
        """The one order of this verification: asked for again, it is the same."""
        it = self._visit
        cents = it.anybody.call("GET", f"{MARKET}/credits/packages")["leastCents"]
        key = {"Idempotency-Key": it.key("purchase")}
        body = {"amountCents": cents}
        opened: dict[str, Any] = it.consumer.call(
            "POST", f"{MARKET}/credits/purchase", body, headers=key
        )
        it.notes["purchase"] = opened["id"]
        return opened

    def _pay(self, page: str, cents: int) -> str:
        """Presses Pay on the stand-in's page; a real shop is never paid."""
        try:
            requests.post(
                page, data={"action": "pay"}, timeout=FETCH_SECONDS, allow_redirects=False
            ).raise_for_status()
        except requests.RequestException as error:
            raise CallFailed(f"the stand-in's page: {type(error).__name__}") from error
        path = f"{MARKET}/credits/purchases/{self._visit.notes['purchase']}"
        bought = self._visit.consumer.call("GET", path)
        expect(bought["status"] == "paid", f"it is {bought['status']} after it was paid")
        return f"{cents} cents were paid at the stand-in"

    def _quote(self) -> str:
        it = self._visit
        path = f"{MARKET}/models/{it.notes['published model']}/quote"
        said = it.consumer.call("POST", path, {"inputs": it.wanted.inputs})
        right = (said["priceCredits"], said["sufficient"]) == (PRICE, said["balance"] >= PRICE)
        expect(right, f"it says {said}")
        return f"{said['priceCredits']} credits, and the wallet has {said['balance']}"

    def _start(self) -> str:
        it = self._visit
        _ = it.notes["present"]
        first, again = self._started("run"), self._started("run")
        run = it.notes["run"] = first.json()["data"]["executionId"]
        expect(again.json()["data"]["executionId"] == run, "the repetition started another run")
        replayed = again.headers.get("Idempotency-Replayed")
        expect(replayed == "true", f"Idempotency-Replayed is {replayed}")
        return str(run)

    def _started(self, what: str) -> requests.Response:
        it = self._visit
        path = f"{MARKET}/models/{it.notes['published model']}/run"
        headers = {"Idempotency-Key": it.key(what)}
        answer = it.consumer.ask("POST", path, {"inputs": it.wanted.inputs}, headers=headers)
        expect(answer.status_code == 201, f"{answer.status_code} {answer.text[:300]}")
        return answer

    def _end(self) -> str:
        run = self._visit.run_ended(self._visit.notes["run"])
        expect(run["status"] == "COMPLETED", f"it is {run['status']}: {run['errorMessage']}")
        self._visit.notes["completed run"] = run
        return f"{run['queueTimeMs']} ms in the queue, {run['executionTimeMs']} ms of GPU"

    def _result(self) -> str:
        output = self._visit.notes["completed run"]["outputPayload"]
        if not output["outputs"]:
            expect(bool(output.get("text")), f"there is neither file nor text: {output}")
            return f"{len(output['text'])} characters of text"
        return ", ".join(_fetched(medium) for medium in output["outputs"])

    def _receipt(self) -> str:
        path = f"{MARKET}/runs/{self._visit.notes['completed run']['id']}/receipt"
        receipt = self._visit.consumer.call("GET", path)
        developer, platform = receipt["developerShareCredits"], receipt["platformFeeCredits"]
        adds_up = developer + platform == receipt["priceCredits"] == PRICE
        captured = receipt["billing"]["state"] == "CAPTURED"
        expect(adds_up and captured and len(receipt["postings"]) > 0, f"it says {receipt}")
        self._visit.notes["receipt"] = receipt
        return f"{PRICE} = {developer:g} for the developer + {platform:g} for the platform"

    def _statement(self) -> str:
        it = self._visit
        run = it.notes["completed run"]["id"]
        lines = it.consumer.call("GET", f"{MARKET}/credits/statement?limit=100")
        spent = sum(line["credits"] for line in lines if line["reference"] == run)
        expect(spent == -PRICE, f"the run changed the wallet by {spent}")
        return f"{spent:g} credits"

    def _earning(self) -> str:
        receipt = self._visit.notes["receipt"]
        rows = self._visit.developer.call("GET", f"{STUDIO}/earnings/history?limit=100")
        mine = [row for row in rows if row["executionId"] == receipt["executionId"]]
        earned = [row["netEarning"] for row in mine]
        expect(earned == [receipt["developerShareCredits"]], f"the history has {mine}")
        return f"{earned[0]:g} cents"

    def _cancel(self) -> str:
        """A run that has ended before its cancel is charged, rightly, and another one tried."""
        it = self._visit
        _ = it.notes["present"]
        for attempt in range(1, CANCEL_TRIES + 1):
            run_id = self._started(f"cancelled-{attempt}").json()["data"]["executionId"]
            try:
                it.consumer.call("POST", f"{MARKET}/runs/{run_id}/cancel")
            except CallFailed as failure:
                if failure.status != 409:
                    raise
            run = it.run_ended(run_id)
            if run["status"] == "CANCELLED":
                return _free(run)
            expect(run["status"] == "COMPLETED", f"it is {run['status']}: {run['errorMessage']}")
        raise CheckFailed(f"{CANCEL_TRIES} runs ended before they could be cancelled")


def _free(run: dict[str, Any]) -> str:
    billing = run["billing"]
    free = billing["state"] == "RELEASED" and billing["capturedCredits"] == 0
    expect(free, f"it is cancelled and {billing}")
    return f"{billing['state']}, nothing charged"


def _fetched(medium: dict[str, Any]) -> str:
    """Downloads a file and holds it against what was said of it."""
    try:
        answer = requests.get(medium["url"], timeout=FETCH_SECONDS)
    except requests.RequestException as error:
        raise CheckFailed(f"the file cannot be fetched ({type(error).__name__})") from error
    expect(answer.ok, f"the file is answered {answer.status_code}")
    digest = hashlib.sha256(answer.content).hexdigest()
    whole = (len(answer.content), digest) == (medium["bytes"], medium["sha256"])
    expect(whole, f"{len(answer.content)} bytes came, {digest}, not {medium}")
    return f"{medium['mime']}, {len(answer.content):,} bytes"
