"""The seeded switches that turn the faults of `fault_table` on.

Whether a fault strikes is decided per endpoint and job, never by anything a job carries, so code
under test cannot tell a faulty job beforehand. The choice depends on the seed, the endpoint, the
job's index and the fault only: the order in which requests happen to arrive does not matter.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from infra.local.runpod.fault_table import FAULTS
from infra.local.runpod.jobs import Job

JSON = dict[str, Any]


@dataclass(slots=True)
class Switch:
    """One switched-on fault of one endpoint (`None`: of every endpoint).

    It strikes with `probability`, or the next `remaining` jobs that reach it, or the jobs whose
    index on the endpoint is in `indexes`.
    """

    fault: str
    endpoint_id: str | None
    probability: float = 1.0
    remaining: int | None = None
    indexes: frozenset[int] | None = None
    options: JSON = field(default_factory=dict)

    def strikes(self, *, endpoint_id: str, index: int, seed: int) -> bool:
        if self.endpoint_id not in (None, endpoint_id):
            return False
        if self.indexes is not None:
            return index in self.indexes
        if self.remaining is not None:
            self.remaining -= 1
            return self.remaining >= 0
        return draw(seed, endpoint_id, index, self.fault).random() < self.probability


def draw(seed: int, endpoint_id: str, index: int, purpose: str) -> random.Random:
    """A generator whose numbers depend on these four things only."""
    return random.Random(f"{seed}/{endpoint_id}/{index}/{purpose}")


class Faults:
    """All switches of a simulator, its seed, and how often each fault struck."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.switches: list[Switch] = []
        self.struck: Counter[tuple[str, str]] = Counter()
        self._alternations: Counter[str] = Counter()

    def add(self, switch: Switch) -> None:
        """Switch a fault on.

        Raises:
            ValueError: the fault, or the asked variant of it, does not exist.
        """
        fault = FAULTS.get(switch.fault)
        if fault is None:
            raise ValueError(f"no fault {switch.fault}")
        variant = switch.options.get("variant")
        if variant is not None and variant not in fault.variants:
            raise ValueError(f"{switch.fault} has no variant {variant}: {fault.variants}")
        self.switches.append(switch)

    def remove(self, *, endpoint_id: str | None = None, fault: str | None = None) -> None:
        """Switch off what matches; without arguments, everything."""
        self.switches = [
            s
            for s in self.switches
            if (endpoint_id is not None and s.endpoint_id != endpoint_id)
            or (fault is not None and s.fault != fault)
        ]

    def strike(self, fault: str, *, endpoint_id: str, index: int) -> JSON | None:
        """The options of `fault` if it strikes here, variant drawn; else None."""
        for switch in self.switches:
            if switch.fault == fault and switch.strikes(
                endpoint_id=endpoint_id, index=index, seed=self.seed
            ):
                self.struck[endpoint_id, fault] += 1
                return self._options(switch, endpoint_id=endpoint_id, index=index)
        return None

    def of(self, job: Job, fault: str) -> JSON | None:
        """As `strike`, remembered on the job, so that one job meets a fault once for all."""
        if fault not in job.faults:
            if not self.switches:
                return None
            options = self.strike(fault, endpoint_id=job.endpoint_id, index=job.index)
            if options is None:
                return None
            job.faults[fault] = options
        return job.faults[fault]

    def alternate(self, endpoint_id: str) -> bool:
        """False, True, False, ... per endpoint: which side of a rolling release a job met."""
        self._alternations[endpoint_id] += 1
        return self._alternations[endpoint_id] % 2 == 0

    def random(self, job: Job, purpose: str) -> random.Random:
        """A generator for this job and purpose."""
        return draw(self.seed, job.endpoint_id, job.index, purpose)

    def reset(self) -> None:
        """Forget switches and counts; keep the seed."""
        self.switches.clear()
        self.struck.clear()
        self._alternations.clear()

    def _options(self, switch: Switch, *, endpoint_id: str, index: int) -> JSON:
        fault = FAULTS[switch.fault]
        options = fault.defaults | switch.options
        if fault.variants and options.get("variant") is None:
            chooser = draw(self.seed, endpoint_id, index, f"{switch.fault}/variant")
            options["variant"] = chooser.choice(fault.variants)
        return options
