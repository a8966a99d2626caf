"""RunPod's webhooks: three attempts, then never again; lost, doubled, slow and forged."""

import json
from typing import Any
from urllib.parse import urlsplit

from tests.simulation.crashes import Steps
from tests.simulation.doors import Doors
from tests.simulation.jobs import Job

ATTEMPTS = 3
BETWEEN_S = 10.0


class SimWebhooks:
    """Sends what a job ended with, to the address that the job was given."""

    def __init__(self, steps: Steps, doors: Doors) -> None:
        self._steps, self._doors = steps, doors
        self.known: list[Job] = []
        self.believed: list[str] = []

    def finished(self, job: Job) -> None:
        """A job has ended, or nearly so as forgers tell it."""
        dice, scheduler = self._steps.dice, self._steps.scheduler
        self.known.append(job)
        if job.webhook is None or dice.strikes("webhook_dropped"):
            return
        slow = dice.strikes("webhook_slow")
        delay = dice.rng.uniform(1, 300) if slow else dice.rng.uniform(0, 0.5)
        body = {"id": job.id, **job.body}
        scheduler.at(delay, self._send, job.webhook, body, 1)
        if dice.strikes("webhook_twice"):
            scheduler.at(delay + dice.rng.uniform(0, 60), self._send, job.webhook, body, ATTEMPTS)

    def begun(self, job: Job) -> None:
        """A worker that reads its own job sees the webhook's address, and may lie there."""
        dice, scheduler = self._steps.dice, self._steps.scheduler
        if job.webhook is None or not dice.strikes("webhook_forged"):
            return
        kind = dice.rng.choice(("early", "other job", "wrong token"))
        other = dice.rng.choice(self.known) if self.known else job
        if other.orphaned or other.ends + 60 > scheduler.seconds:
            other = job  # only a job that is known as another attempt's own can be told apart
        lie: dict[str, Any] = {"id": job.id, "status": "COMPLETED", "output": {"text": "forged"}}
        if kind == "other job":
            lie = {**other.body, "id": other.id}
        address = job.webhook[:-4] + "0000" if kind == "wrong token" else job.webhook
        delay = 0.0 if dice.rng.random() < 0.5 else dice.rng.uniform(0, 20)
        scheduler.at(delay, self._forge, address, lie, kind)

    def _forge(self, address: str, lie: dict[str, Any], kind: str) -> None:
        status = self._post(address, lie)
        if kind == "wrong token" and 200 <= status < 300:
            self.believed.append(f"a webhook with a wrong token was answered {status}")

    def _send(self, address: str, body: dict[str, Any], attempt: int) -> None:
        status = self._post(address, body)
        if status != 200 and attempt < ATTEMPTS:
            self._steps.scheduler.at(BETWEEN_S, self._send, address, body, attempt + 1)

    def _post(self, address: str, body: dict[str, Any]) -> int:
        content = json.dumps(body).encode()
        return self._doors.call("callback", "POST", urlsplit(address).path, content).status
