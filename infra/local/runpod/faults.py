"""Faults F1 to F20 of runpod.md 6.4: what each means, and the seeded switches that turn it on.

Whether a fault strikes is decided per endpoint and job, never by anything a job carries, so code
under test cannot tell a faulty job beforehand. The choice depends on the seed, the endpoint, the
job's index and the fault only: the order in which requests happen to arrive does not matter.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from infra.local.runpod.jobs import Job

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What a fault means, its variants (one is drawn when none is asked for), its defaults."""

    meaning: str
    seen_in: str
    variants: tuple[str, ...] = ()
    defaults: JSON = field(default_factory=dict)


FAULTS: dict[str, Fault] = {
    "F1": Fault("the webhook is never sent", "webhooks: one withheld entry"),
    "F2": Fault(
        "the webhook is repeated, late, before the reply to /run, or out of order",
        "webhooks: times and number",
        ("twice", "late", "after_retries", "before_reply", "reordered"),
        {"seconds": 60.0},
    ),
    "F3": Fault(
        "a forged webhook comes before the true one",
        "webhooks: entry of kind forged",
        ("wrong_token", "other_job", "changed_output"),
    ),
    "F4": Fault("/run is accepted, then the connection drops", "a job whose id nobody was told"),
    "F5": Fault(
        "submitting fails; no job unless created is true",
        "the reply; refused in the endpoint's counters",
        ("502", "429", "timeout"),
        {"seconds": 60.0, "created": False},
    ),
    "F6": Fault(
        "the job stays IN_QUEUE",
        "/health tells why",
        ("no_workers", "throttled", "unhealthy", "initializing"),
    ),
    "F7": Fault(
        "the job stays IN_PROGRESS with an error inside its output",
        "status IN_PROGRESS with output.error",
        (),
        {"output": {"error": "CUDA error: an illegal memory access was encountered"}},
    ),
    "F8": Fault("COMPLETED without output", "no key output"),
    "F9": Fault(
        "COMPLETED with an output that says error",
        "the output",
        ("error_key", "status_key", "text", "listed"),
    ),
    "F10": Fault("the first run is lost and the platform runs the job again", "retries 1, runs 2"),
    "F11": Fault("both runs are lost", "FAILED, job timed out after 1 retries"),
    "F12": Fault(
        "the run never ends by itself; executionTimeout is enforced 3 to 10 s late",
        "status and error",
        ("FAILED", "TIMED_OUT"),
    ),
    "F13": Fault(
        "/status says 404: soon after submit, as if retention were over, or TTL while running",
        "the 404 body",
        ("propagation", "retention", "ttl"),
        {"seconds": 5.0},
    ),
    "F14": Fault(
        "a progress write lands after the final result and overwrites it",
        "status back at IN_PROGRESS",
        (),
        {"seconds": 1.0, "output": "95%"},
    ),
    "F15": Fault(
        "media in the output cannot be had",
        "the URL's or the data's bytes",
        ("expired", "forbidden", "broken_base64", "wrong_mime"),
    ),
    "F16": Fault("/cancel says CANCELLED, yet the job completes", "COMPLETED after CANCELLED"),
    "F17": Fault(
        "/status answers 5xx for minutes", "the reply", ("500", "502", "524"), {"seconds": 120.0}
    ),
    "F18": Fault(
        "the job object has an unknown status, extra fields, or no delayTime",
        "/status and the webhook",
        ("unknown_status", "extra_fields", "no_delay_time"),
        {"status": "WARMING"},
    ),
    "F19": Fault("old and new output shape alternate, as in a rolling release", "the output"),
    "F20": Fault("a webhook body of 24 MB", "the body's size", (), {"bytes": 24 * 1024 * 1024}),
}


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
