"""A simulated bucket, and the hosts at which workers leave their results."""

import hashlib

from common.boundary import assert_no_session
from common.gateways.outbound import BadAnswer, Fetched, NoAnswer
from common.gateways.storage import StorageUnavailable
from tests.simulation.crashes import Steps
from tests.simulation.sim_runpod import SimRunPod


class SimStorage:
    """Objects by name; of their contents only the digest is kept."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.objects: dict[str, str] = {}
        self.down_until = 0.0

    def put(self, name: str, content: bytes, content_type: str) -> None:
        assert_no_session()
        self._steps.take("storage.put", lambda: self._put(name, content))

    def signed_url(self, name: str, *, ttl_s: int) -> str:
        assert_no_session()
        return f"https://storage.example/{name}?for={ttl_s}"

    def _put(self, name: str, content: bytes) -> None:
        scheduler, dice = self._steps.scheduler, self._steps.dice
        scheduler.pass_time(dice.rng.uniform(0.01, 0.2))
        if scheduler.seconds < self.down_until or dice.strikes("storage_error"):
            raise StorageUnavailable("no answer")
        self.objects.setdefault(name, hashlib.sha256(content).hexdigest())


class SimOutbound:
    """Fetches what a job left behind a link."""

    def __init__(self, steps: Steps, runpod: SimRunPod) -> None:
        self._steps, self._runpod = steps, runpod

    def fetch(self, url: str, *, max_bytes: int, timeout_s: float) -> Fetched:
        assert_no_session()
        return self._steps.take("outbound.fetch", lambda: self._fetch(url))

    def _fetch(self, url: str) -> Fetched:
        scheduler, dice = self._steps.scheduler, self._steps.dice
        job = self._runpod.jobs[url.rpartition("/")[2].removesuffix(".png")]
        scheduler.pass_time(dice.rng.uniform(0.1, 3.0))
        if job.fate == "job_dead_link":
            raise BadAnswer(403)
        if dice.strikes("status_error"):
            raise NoAnswer("too slow")
        return Fetched(job.content, "image/png")
