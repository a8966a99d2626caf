"""Staff who give credits, and the scheduler's minute and hour."""

from tests.simulation.consumers import Consumer
from tests.simulation.crashes import Steps
from tests.simulation.doors import Doors
from tests.simulation.entropy import new_id
from tests.simulation.people import STAFF
from tests.simulation.sim_tasks import TOKEN

MINUTE, HOUR = 60.0, 3600.0
RETRY_SECONDS = (5.0, 10.0, 20.0)


class Staff:
    """Grants are repeated under one reference until they are answered."""

    def __init__(self, steps: Steps, doors: Doors) -> None:
        self._steps, self._doors = steps, doors
        self.under_way = 0
        self.refused: list[str] = []

    def plan_grant(self, consumer: Consumer, credits_: int, at: float) -> None:
        self.under_way += 1
        consumer.granted += credits_
        order = {
            "consumerId": consumer.id,
            "credits": credits_,
            "reason": "a present",
            "reference": new_id(self._steps.dice.rng),
        }
        self._steps.scheduler.at(at, self._grant, order)

    def _grant(self, order: dict[str, object]) -> None:
        path = "/api/admin/credits/grants"
        answer = self._doors.call("admin", "POST", path, order, authorization=STAFF)
        if answer.ok:
            self.under_way -= 1
        elif answer.broken:
            self._steps.scheduler.at(5.0, self._grant, order)
        else:
            self.refused.append(f"a grant was answered {answer.status}")


class Scheduled:
    """Cloud Scheduler: calls cleanup each minute, and again a few times when nobody answers.

    infra/local/scheduler.py does the same through its task queue; in the cloud the jobs carry a
    retry policy, without which a sweep that dies is not repeated before the next minute.
    """

    def __init__(self, steps: Steps, doors: Doors) -> None:
        self._steps, self._doors = steps, doors
        self.alarms: list[str] = []

    def begin(self) -> None:
        self._steps.scheduler.at(MINUTE, self._minute)
        self._steps.scheduler.at(HOUR, self._audit)

    def _minute(self) -> None:
        self._steps.scheduler.at(MINUTE, self._minute)
        for path in ("/sweep", "/cancels"):
            self._call(path, RETRY_SECONDS)

    def _call(self, path: str, pauses: tuple[float, ...]) -> None:
        answer = self._doors.call("cleanup", "POST", path, authorization=TOKEN)
        if answer.broken and pauses:
            self._steps.scheduler.at(pauses[0], self._call, path, pauses[1:])

    def _audit(self) -> None:
        self._steps.scheduler.at(HOUR, self._audit)
        answer = self._doors.call("cleanup", "POST", "/audit", authorization=TOKEN)
        if answer.ok and answer.data["violations"]:
            self.alarms.append(f"the audit found {answer.data['violations']} violations")
