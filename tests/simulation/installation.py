"""A simulated installation: the real code with simulated surroundings, models and consumers."""

from random import Random
from typing import TextIO

from common.runtime import Runtime, install
from common.settings import Settings
from functions.admin.main import admin
from functions.callback.main import callback
from functions.cleanup.main import cleanup
from functions.marketplace.main import marketplace
from functions.tasks.main import tasks
from tests import factories
from tests.factories import Offer
from tests.simulation.consumers import API, Consumer, Crowd
from tests.simulation.crashes import Steps
from tests.simulation.database import MortalDatabase
from tests.simulation.doors import Doors
from tests.simulation.faults import NONE, Dice, Faults
from tests.simulation.people import KnownCallers, Names
from tests.simulation.scheduler import Scheduler
from tests.simulation.sim_runpod import SimRunPod
from tests.simulation.sim_storage import SimOutbound, SimStorage
from tests.simulation.sim_tasks import SimTasks
from tests.simulation.staff import Scheduled, Staff
from tests.simulation.weather import Weather

FUNCTIONS = {
    "admin": admin,
    "callback": callback,
    "cleanup": cleanup,
    "marketplace": marketplace,
    "tasks": tasks,
}
PRICES = (1, 3, 10, 70, 1999)


class SimRuntime(Runtime):
    """The real runtime whose surroundings follow from the seed."""

    def __init__(self, settings: Settings, steps: Steps, doors: Doors) -> None:
        super().__init__(settings, steps.scheduler)
        self.sim_runpod = SimRunPod(steps, doors)
        self.sim_storage = SimStorage(steps)
        self.__dict__ |= {
            "db": MortalDatabase(settings, steps),
            "identities": Names(),
            "invokers": KnownCallers(),
            "runpod": self.sim_runpod,
            "storage": self.sim_storage,
            "outbound": SimOutbound(steps, self.sim_runpod),
            "tasks": SimTasks(steps, doors),
        }


class Installation:
    """Everything of one run. Faults begin with `faults_on`; until then all goes well."""

    def __init__(self, database_url: str, rng: Random, trace: TextIO | None = None) -> None:
        settings = Settings(
            database_url=database_url,
            db_pool_size=6,
            public_url="https://tarsify.example",
            tasks_target_url="https://tasks.example",
            cleanup_target_url="https://cleanup.example",
            log_level="ERROR",
            catalogue_seconds=0,  # what is kept goes by the machine's clock
            rate_limit_scale=0,
        )
        self.rng = rng
        self.scheduler = Scheduler(rng, trace)
        self.dice = Dice(rng, NONE)
        self.steps = Steps(self.scheduler, self.dice)
        self.doors = Doors(self.steps, dict(FUNCTIONS))
        self.runtime = SimRuntime(settings, self.steps, self.doors)
        self.crowd = Crowd(self.steps, self.doors)
        self.staff = Staff(self.steps, self.doors)
        self.scheduled = Scheduled(self.steps, self.doors)
        self.weather = Weather(self.steps, self.runtime.sim_runpod, self.runtime.sim_storage)
        self.consumers: list[Consumer] = []
        self.offers: list[Offer] = []
        install(self.runtime)

    def stock(self, *, consumers: int) -> None:
        """Models at several prices on two endpoints' worth of time limits, and who buys them."""
        self.offers = [
            factories.make_offer(self.runtime.db, price_credits=price) for price in PRICES
        ]
        self.consumers = [self._register(f"consumer{number}") for number in range(consumers)]

    def faults_on(self, faults: Faults) -> None:
        self.dice.faults = faults

    def _register(self, uid: str) -> Consumer:
        path = f"{API}/auth/register"
        answer = self.doors.call(
            "marketplace", "POST", path, {"name": uid}, authorization=f"Bearer {uid}"
        )
        assert answer.ok, answer
        return Consumer(uid, answer.data["id"])
