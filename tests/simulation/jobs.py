"""One job at the simulated RunPod: its life is drawn when it is made and then only looked up."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.entropy import new_id
from tests.simulation.faults import Dice

RETENTION_S = 1_800.0
FATES = (
    "job_instant",
    "job_failed",
    "job_failed_for_good",
    "job_hangs",
    "job_stuck_in_queue",
    "job_vanishes",
    "job_platform_retry",
    "job_without_output",
    "job_error_in_output",
    "job_error_in_progress",
    "job_broken_media",
    "job_late_progress",
    "job_unknown_status",
    "job_mute",
    "job_link",
    "job_dead_link",
    "job_given_up",
    "job_without_times",
    "job_other_shape",
)
# Fates after which the worker's result is good and can be had at least for a while.
_GOOD = {
    None,
    "job_instant",
    "job_platform_retry",
    "job_late_progress",
    "job_unknown_status",
    "job_link",
    "job_without_times",
    "job_other_shape",
}
_PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06"
NEVER = float("inf")
Words = Callable[["Job", dict[str, Any], Random], dict[str, Any]]


@dataclass
class Job:
    """Times are virtual seconds since the start of the run."""

    id: str
    endpoint: str
    request: str  # the prompt: which consumer's request it works on
    webhook: str | None
    fate: str | None
    created: float
    starts: float
    ends: float
    ttl: float
    hidden_until: float = 0.0
    vanishes: float = NEVER
    cancelled: float = NEVER
    orphaned: bool = False
    cancel_asked: bool = False
    body: dict[str, Any] = field(default_factory=dict)
    content: bytes = b""

    @property
    def good(self) -> bool:
        """Whether the worker made what was asked for."""
        return self.fate in _GOOD

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def link(self) -> str:
        return f"https://worker.example/{self.id}.png"

    def ended(self, now: float) -> bool:
        return now >= min(self.ends, self.cancelled, self.vanishes)

    @property
    def over(self) -> float:
        """When it stops costing anything."""
        return min(self.ends, self.cancelled, self.vanishes, self.created + self.ttl)

    def report(self, now: float) -> tuple[int, dict[str, Any]]:
        """What GET /status says at this moment: the code and the body."""
        if now < self.hidden_until or now >= self.vanishes:
            return 404, {"status": 404, "detail": "job not found"}
        if self.cancelled < self.ends and now >= self.cancelled:
            return self._kept(now, self.cancelled, {"status": "CANCELLED"})
        if now >= self.ends:
            if self.fate == "job_late_progress" and now >= self.ends + 45:
                return 200, self._told("IN_PROGRESS", output={"progress": 99})
            return self._kept(now, self.ends, self.body)
        if now >= self.created + self.ttl:
            return 404, {"status": 404, "detail": "job not found"}
        return 200, self._alive(now)

    def _kept(self, now: float, since: float, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if now >= since + RETENTION_S:
            return 404, {"status": 404, "detail": "job not found"}
        return 200, {"id": self.id, **body}

    def _alive(self, now: float) -> dict[str, Any]:
        if now < self.starts:
            return self._told("IN_QUEUE")
        share = (now - self.starts) / (self.ends - self.starts)
        if self.fate == "job_platform_retry" and 0.4 < share < 0.6:
            return self._told("IN_QUEUE", retries=1)
        if self.fate == "job_error_in_progress" and share > 0.02:
            return self._told("IN_PROGRESS", output={"error": "CUDA is gone"})
        if self.fate == "job_unknown_status":
            return self._told("PAUSED", surprise=True)
        return self._told("IN_PROGRESS", workerId="w1")

    def _told(self, status: str, **more: Any) -> dict[str, Any]:
        return {"id": self.id, "status": status, **more}


def draw_job(
    dice: Dice, *, number: int, now: float, endpoint: str, order: dict[str, Any], rest: Any
) -> Job:
    """A new job for an order of POST /run, with everything that will become of it."""
    rng, fate = dice.rng, dice.one_of(*FATES)
    wait, work = rng.expovariate(1 / 8), rng.expovariate(1 / 20)
    limit = order["policy"]["executionTimeout"] / 1000
    if fate == "job_instant":
        wait = work = 0.0
    if fate in {"job_hangs", "job_error_in_progress"}:
        work = limit + rng.uniform(3, 10)
    if fate == "job_stuck_in_queue":
        wait = NEVER
    job = Job(
        id=f"{new_id(rng)}-u1",
        endpoint=endpoint,
        request=str(order["input"]["prompt"]),
        webhook=order.get("webhook"),
        fate=fate,
        created=now,
        starts=now + wait,
        ends=now + wait + work,
        ttl=order["policy"]["ttl"] / 1000,
        content=_PNG + f" {rest} job {number}".encode(),
    )
    if fate == "job_vanishes":
        job.vanishes = now + rng.uniform(0, wait + work)
    if dice.strikes("job_hidden"):
        job.hidden_until = now + rng.uniform(1, 150)
    job.body = _last_words(job, rng)
    return job


def _last_words(job: Job, rng: Random) -> dict[str, Any]:
    """The body with which the job ends."""
    if job.starts == NEVER:
        return {}
    times = {
        "delayTime": int((job.starts - job.created) * 1000),
        "executionTime": int((job.ends - job.starts) * 1000),
        "workerId": "w1",
    }
    return _WORDS.get(job.fate, _picture)(job, times, rng)


def _picture(job: Job, times: dict[str, Any], rng: Random) -> dict[str, Any]:
    image = "data:image/png;base64," + base64.b64encode(job.content).decode()
    retries = {"retries": 1} if job.fate == "job_platform_retry" else {}
    return _completed(times, {"images": [image], "image_url": image, "seed": 1}) | retries


def _linked(job: Job, times: dict[str, Any], rng: Random) -> dict[str, Any]:
    return _completed(times, {"images": [job.link], "image_url": job.link, "seed": 1})


def _untimed(job: Job, times: dict[str, Any], rng: Random) -> dict[str, Any]:
    """An ended job need not say how long it waited and ran (runpod.md 6.4, F18)."""
    return _picture(job, {}, rng)


def _older(job: Job, times: dict[str, Any], rng: Random) -> dict[str, Any]:
    """While a release rolls out, workers of two generations answer (runpod.md 6.4, F19)."""
    image = "data:image/png;base64," + base64.b64encode(job.content).decode()
    return _completed(times, {"image_url": image})


def _broken(job: Job, times: dict[str, Any], rng: Random) -> dict[str, Any]:
    image = rng.choice(("data:image/png;base64,@@@", "data:text/html;base64,aGk="))
    return _completed(times, {"images": [image], "image_url": image})


def _timed_out(job: Job, times: dict[str, Any], rng: Random) -> dict[str, Any]:
    """RunPod spells one thing in two ways (runpod.md 7, P13)."""
    if rng.random() < 0.5:
        return {"status": "TIMED_OUT", **times}
    return {"status": "FAILED", "error": "executionTimeout exceeded", **times}


def _completed(times: dict[str, Any], output: Any) -> dict[str, Any]:
    return {"status": "COMPLETED", **times, "output": output}


def _failed(error: str) -> Words:
    return lambda job, times, rng: {"status": "FAILED", "error": error, **times}


_WORDS: dict[str | None, Words] = {
    "job_failed": _failed("CUDA out of memory"),
    "job_failed_for_good": _failed("Unexpected input 'x'"),
    "job_hangs": _timed_out,
    "job_error_in_progress": _timed_out,
    "job_without_output": lambda job, times, rng: {"status": "COMPLETED", **times},
    "job_error_in_output": lambda job, times, rng: _completed(times, {"error": "no sampler"}),
    "job_broken_media": _broken,
    "job_link": _linked,
    "job_dead_link": _linked,
    "job_given_up": _failed("job timed out after 1 retries"),
    "job_without_times": _untimed,
    "job_other_shape": _older,
}
