"""Consumers who start, start again, cancel and look; and what they remember of the answers."""

from dataclasses import dataclass, field
from typing import Any

from tests.simulation.crashes import Steps
from tests.simulation.doors import Answer, Doors

TRIES = 6
RANKS = {"PENDING": 0, "QUEUED": 1, "RUNNING": 2}
API = "/api/marketplace"


@dataclass
class Consumer:
    """Someone with a wallet; amounts in credits."""

    uid: str
    id: str
    granted: int = 0

    @property
    def token(self) -> str:
        return f"Bearer {self.uid}"


@dataclass
class Request:
    """One wish for a run, under one idempotency key however often it is sent."""

    name: str
    consumer: Consumer
    slug: str
    price: int
    execution_id: str | None = None
    refused: bool = False
    cancelled_at: float | None = None
    shown: list[tuple[float, str]] = field(default_factory=list)

    @property
    def final(self) -> str | None:
        """The terminal status that the consumer was told of, if any."""
        return next((status for _, status in self.shown if status not in RANKS), None)


class Crowd:
    """Sends requests and holds every answer against what was answered before."""

    def __init__(self, steps: Steps, doors: Doors) -> None:
        self._steps, self._doors = steps, doors
        self.requests: list[Request] = []
        self.under_way = 0
        self.contradictions: list[str] = []

    def plan(self, request: Request, at: float) -> None:
        """A consumer will click then, perhaps twice, and perhaps look or cancel later."""
        dice, scheduler = self._steps.dice, self._steps.scheduler
        self.requests.append(request)
        clicks = 2 if dice.strikes("start_repeated") else 1
        for _ in range(clicks):
            self.under_way += 1
            scheduler.at(at, self._start, request, 1)
        later = at + dice.rng.expovariate(1 / 30)
        if dice.strikes("consumer_cancels"):
            scheduler.at(at + dice.rng.uniform(0, 60), self._cancel, request, 1)
        scheduler.at(later, self._look, request)

    def _start(self, request: Request, number: int) -> None:
        body = {"inputs": {"prompt": request.name}}
        answer = self._ask(
            request, "POST", f"{API}/models/{request.slug}/run", body, idempotency_key=request.name
        )
        lost = answer.broken or self._steps.dice.strikes("answer_lost")
        if lost and number < TRIES:
            request.refused = False
            pause = self._steps.dice.rng.uniform(0.5, 3.0) * number
            self._steps.scheduler.at(pause, self._start, request, number + 1)
            return
        self.under_way -= 1
        if not lost:
            self._started(request, answer)

    def _started(self, request: Request, answer: Answer) -> None:
        request.refused = answer.status == 402
        if answer.status == 402:
            return
        if answer.status != 201:
            self._wrong(request, f"a start was answered {answer.status} {answer.body}")
            return
        execution_id = answer.data["executionId"]
        if request.execution_id not in (None, execution_id):
            self._wrong(request, "one key started two runs")
        request.execution_id = execution_id
        self._told(request, answer)

    def _cancel(self, request: Request, number: int) -> None:
        if request.execution_id is None:
            return
        answer = self._ask(request, "POST", f"{API}/runs/{request.execution_id}/cancel")
        if answer.broken and number < TRIES:
            self._steps.scheduler.at(2.0 * number, self._cancel, request, number + 1)
        elif answer.ok:
            request.cancelled_at = self._steps.scheduler.seconds
            self._told(request, answer)
        elif answer.status != 409 and not answer.broken:
            self._wrong(request, f"a cancel was answered {answer.status}")

    def _look(self, request: Request) -> None:
        if request.execution_id is None:
            return
        sync = "?sync=true" if self._steps.dice.rng.random() < 0.5 else ""
        answer = self._ask(request, "GET", f"{API}/runs/{request.execution_id}/status{sync}")
        if answer.ok:
            self._told(request, answer)
        elif not answer.broken:
            self._wrong(request, f"a look was answered {answer.status}")

    def _told(self, request: Request, answer: Answer) -> None:
        """An end is final, and nothing goes back behind what was shown before the question."""
        status = answer.data["status"]
        if request.final not in (None, status) and status not in RANKS:
            self._wrong(request, f"{request.final} became {status}")
        known = (RANKS.get(each, 3) for at, each in request.shown if at <= answer.asked_at)
        if RANKS.get(status, 3) < max(known, default=0):
            self._wrong(request, f"went back to {status}")
        request.shown.append((self._steps.scheduler.seconds, status))

    def _wrong(self, request: Request, what: str) -> None:
        self.contradictions.append(f"{request.name}: {what}")

    def _ask(
        self, request: Request, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        token = request.consumer.token
        return self._doors.call("marketplace", method, path, body, authorization=token, **headers)
