"""What faults do to a job when it arrives (F6, F13, F18) and to its output (F8, F9, F15, F19)."""

from typing import Any

from infra.local.runpod import outputs
from infra.local.runpod.faults import Faults
from infra.local.runpod.jobs import ABSENT, Job


def begin(faults: Faults, job: Job, now: float) -> None:
    """Mark a job that was just accepted at instant `now`."""
    stuck = faults.of(job, "F6")
    job.stuck = stuck["variant"] if stuck else None
    job.drift = faults.of(job, "F18")
    hidden = faults.of(job, "F13")
    if hidden is not None and hidden["variant"] == "propagation":
        job.hidden_until = now + hidden["seconds"]


def spoil(faults: Faults, job: Job, output: Any, *, media_url: str) -> Any:
    """The output of a successful run as the faults leave it."""
    if faults.of(job, "F8") is not None:
        return ABSENT
    disguise = faults.of(job, "F9")
    if disguise is not None:
        return disguise.get("output", outputs.disguised_error(disguise["variant"]))
    spoilt = faults.of(job, "F15")
    if spoilt is not None:
        output = outputs.spoil_media(output, variant=spoilt["variant"], media_url=media_url)
    if faults.of(job, "F19") is not None and faults.alternate(job.endpoint_id):
        output = outputs.other_generation(output)
    return output
