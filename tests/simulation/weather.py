"""Outages: for minutes RunPod or the storage answers nobody."""

from tests.simulation.crashes import Steps
from tests.simulation.sim_runpod import SimRunPod
from tests.simulation.sim_storage import SimStorage

EVERY = 600.0


class Weather:
    """Decides each ten minutes whether something goes down, for one to six of them."""

    def __init__(self, steps: Steps, runpod: SimRunPod, storage: SimStorage) -> None:
        self._steps = steps
        self._places: dict[str, SimRunPod | SimStorage] = {
            "runpod_outage": runpod,
            "storage_outage": storage,
        }

    def begin(self) -> None:
        self._steps.scheduler.at(self._steps.dice.rng.uniform(0, EVERY), self._change)

    def _change(self) -> None:
        scheduler, dice = self._steps.scheduler, self._steps.dice
        scheduler.at(EVERY, self._change)
        for fault, place in self._places.items():
            if dice.strikes(fault):
                place.down_until = scheduler.seconds + dice.rng.uniform(60, 360)
                scheduler.note(fault, round(place.down_until))
