"""A simulated Cloud Tasks: at least once, unordered, sometimes late, sometimes never."""

from common.boundary import assert_no_session
from common.gateways.tasks import TaskNotCreated, Wake
from tests.simulation.crashes import Steps
from tests.simulation.doors import Doors
from tests.simulation.invocations import current

TOKEN = "Bearer the-queue"
DELIVERIES = 5


class SimTasks:
    """Takes tasks and knocks at the tasks function when they are due."""

    def __init__(self, steps: Steps, doors: Doors) -> None:
        self._steps, self._doors = steps, doors

    def create(self, wake: Wake) -> None:
        assert_no_session()
        current().alarms += 1
        self._steps.take("tasks.create", lambda: self._create(wake))

    def _create(self, wake: Wake) -> None:
        dice, scheduler = self._steps.dice, self._steps.scheduler
        if dice.strikes("task_refused"):
            raise TaskNotCreated("unavailable")
        if dice.strikes("task_lost"):
            return
        delay = max(0.0, scheduler.seconds_until(wake.at)) + dice.rng.uniform(0.01, 0.3)
        if dice.strikes("task_late"):
            delay += dice.rng.uniform(5, 300)
        scheduler.at(delay, self._deliver, wake, 1)
        if dice.strikes("task_twice"):
            scheduler.at(delay + dice.rng.uniform(0, 30), self._deliver, wake, DELIVERIES)

    def _deliver(self, wake: Wake, number: int) -> None:
        answer = self._doors.call("tasks", "POST", wake.path, wake.body, authorization=TOKEN)
        if not answer.ok and number < DELIVERIES:
            self._steps.scheduler.at(5.0 * 2**number, self._deliver, wake, number + 1)
