"""What may go wrong, and how often. Every field is a probability unless it says otherwise."""

from collections import Counter
from dataclasses import dataclass, fields, replace
from random import Random


@dataclass(frozen=True)
class Faults:
    """The weather of a run."""

    # Our own processes: per commit and per outside call.
    crash: float = 0.03
    database_lost: float = 0.002
    overtaken: float = 0.03

    # Cloud Tasks: per task.
    task_lost: float = 0.02
    task_refused: float = 0.01
    task_late: float = 0.05
    task_twice: float = 0.02

    # RunPod's answer to POST /run: per submit.
    submit_rate_limited: float = 0.03
    submit_rejected: float = 0.005
    submit_unreachable: float = 0.02
    submit_request_lost: float = 0.01
    submit_answer_lost: float = 0.03

    # What becomes of a job: per job, at most one of them.
    job_instant: float = 0.05
    job_failed: float = 0.08
    job_failed_for_good: float = 0.01
    job_hangs: float = 0.02
    job_stuck_in_queue: float = 0.01
    job_vanishes: float = 0.01
    job_hidden: float = 0.03
    job_platform_retry: float = 0.02
    job_without_output: float = 0.01
    job_error_in_output: float = 0.01
    job_error_in_progress: float = 0.005
    job_broken_media: float = 0.01
    job_late_progress: float = 0.005
    job_unknown_status: float = 0.005
    job_mute: float = 0.003
    job_link: float = 0.05
    job_dead_link: float = 0.005
    job_given_up: float = 0.003
    job_without_times: float = 0.005
    job_other_shape: float = 0.01

    # Looks and cancels: per call; outages: per ten minutes.
    status_error: float = 0.03
    cancel_lost: float = 0.1
    cancel_too_late: float = 0.2
    runpod_outage: float = 0.1
    storage_outage: float = 0.1
    storage_error: float = 0.01

    # RunPod's webhooks: per job.
    webhook_dropped: float = 0.08
    webhook_twice: float = 0.15
    webhook_slow: float = 0.10
    webhook_forged: float = 0.05

    # Consumers: the first per consumer, the others per run.
    consumer_poor: float = 0.1
    answer_lost: float = 0.01
    start_repeated: float = 0.05
    consumer_cancels: float = 0.06


ALL = Faults()
NAMES = tuple(field.name for field in fields(Faults))
NONE = replace(ALL, **dict.fromkeys(NAMES, 0.0))
# What consumers do is no fault: a calm run has it too.
CALM = replace(NONE, consumer_cancels=ALL.consumer_cancels)


def only(names: list[str]) -> Faults:
    """The named faults at their usual rates and no other."""
    return replace(NONE, **{name: getattr(ALL, name) for name in names})


class Dice:
    """Decides by the seed whether a fault strikes, and counts those that did."""

    def __init__(self, rng: Random, faults: Faults) -> None:
        self.rng = rng
        self.faults = faults
        self.struck: Counter[str] = Counter()

    def strikes(self, name: str) -> bool:
        chance: float = getattr(self.faults, name)
        if chance == 0.0 or self.rng.random() >= chance:
            return False
        self.struck[name] += 1
        return True

    def one_of(self, *names: str) -> str | None:
        """At most one of the faults: their chances are added, not combined."""
        drawn = self.rng.random()
        for name in names:
            drawn -= getattr(self.faults, name)
            if drawn < 0:
                self.struck[name] += 1
                return name
        return None
