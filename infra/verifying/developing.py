"""The developer's part: a model from draft to catalogue."""

from __future__ import annotations

from typing import Any

from infra.verifying.books import KEPT_SECONDS
from infra.verifying.checklist import Check, CheckFailed, expect
from infra.verifying.visit import MARKET, PRICE, STUDIO, Visit, insist, until

TITLE = "Verification, please ignore"
# The studio stops waiting before a GPU that was asleep is awake; the same test again joins it.
TEST_TRIES = 5


class Developing:
    """Makes a model, tests and publishes it."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def checks(self) -> list[Check]:
        """In the order in which they are made."""
        return [
            ("the developer drafts a model", self._draft),
            ("a test run of it is free and succeeds", self._test),
            ("the developer publishes it", self._publish),
            ("everybody finds it in the catalogue", self._offered),
        ]

    def _draft(self) -> str:
        it = self._visit
        _ = it.notes["developer"]
        bases = it.developer.call("GET", f"{STUDIO}/tars-models/base-models")["baseModels"]
        base = next((base for base in bases if base["slug"] == it.wanted.base_model), None)
        if base is None:
            names = ", ".join(each["slug"] for each in bases)
            raise CheckFailed(f"there is no base model {it.wanted.base_model}, only: {names}")
        body = {
            "baseModelId": base["id"],
            "title": TITLE,
            "slug": it.slug,
            "priceCredits": PRICE,
        }
        made = it.developer.call("POST", f"{STUDIO}/tars-models", body)
        it.notes["draft"] = made["id"]
        expect(made["status"] == "DRAFT", f"it is {made['status']}")
        return f"{it.slug} of {base['slug']}"

    def _test(self) -> str:
        path = f"{STUDIO}/tars-models/{self._visit.notes['draft']}/test-run"
        done: dict[str, Any] = {}
        for _ in range(TEST_TRIES):
            body = {"inputs": self._visit.wanted.inputs}
            done = self._visit.developer.call("POST", path, body)
            if done["status"] != "TIMED_OUT":
                break
        expect(done["status"] == "COMPLETED", f"it is {done['status']}: {done['error']}")
        return f"{done['executionTimeMs']} ms of GPU"

    def _publish(self) -> str:
        path = f"{STUDIO}/tars-models/{self._visit.notes['draft']}/publish"
        made = self._visit.developer.call("POST", path, {"action": "publish"})
        expect(made["status"] == "PUBLISHED", f"it is {made['status']}")
        self._visit.notes["published model"] = made["slug"]
        return f"{made['priceCredits']} credits a run"

    def _offered(self) -> str:
        path = f"{MARKET}/models/{self._visit.notes['published model']}"

        def there() -> Any:
            answer = insist(lambda: self._visit.anybody.ask("GET", path))
            return answer.json()["data"] if answer.ok else None

        shown = until(there, seconds=KEPT_SECONDS, what="it is not offered")
        expect(shown["priceCredits"] == PRICE, f"it costs {shown['priceCredits']}")
        return f"with the form of {len(shown['inputSchema']['properties'])} inputs"
