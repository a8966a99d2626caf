"""Tells a running simulator what to do, over its control interface."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

JSON = dict[str, Any]


class SimulatorClient:
    """The control interface of a simulator at `address` (scheme, host and port).

    Every method raises ValueError with the simulator's reason when it refuses.
    """

    def __init__(self, address: str, *, key: str) -> None:
        self.address = address
        self.key = key
        self._http = httpx.Client(base_url=f"{address}/_sim", timeout=60.0, trust_env=False)

    @property
    def base_url(self) -> str:
        """What stands in for RunPod's own base URL; append `/{endpoint}/run` and so on."""
        return f"{self.address}/v2"

    def close(self) -> None:
        self._http.close()

    def add_endpoint(self, endpoint_id: str, *, key: str | None = None, **settings: Any) -> None:
        """Register an endpoint; `settings` are the fields of `endpoint.Settings`."""
        self._post("/endpoints", {"id": endpoint_id, "key": key, "settings": settings})

    def endpoints(self) -> JSON:
        """Each endpoint's behaviour, counters and workers."""
        return self._get("/endpoints")

    def behave(
        self,
        endpoint_id: str,
        behaviour: JSON | None = None,
        *,
        next: int | None = None,  # noqa: A002 - reads as told: next=1
        **more: Any,
    ) -> None:
        """Set an endpoint's behaviour (see `scripted`), or that of its next jobs only."""
        wanted = (behaviour or {}) | more
        self._post("/behaviour", {"endpoint": endpoint_id, "behaviour": wanted, "next": next})

    def fault(
        self,
        endpoint_id: str | None,
        fault: str,
        *,
        next: int | None = None,  # noqa: A002 - reads as told: next=1
        probability: float = 1.0,
        indexes: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        """Switch a fault on: always, with a probability, for the next jobs, or by job index.

        `options` are the fault's own: `variant`, `seconds`, ... (see `faults.FAULTS`).
        """
        switch = {
            "endpoint": endpoint_id,
            "fault": fault,
            "next": next,
            "probability": probability,
            "indexes": None if indexes is None else list(indexes),
            "options": options,
        }
        self._post("/faults", switch)

    def faults(self) -> JSON:
        """The table of faults, the switches that are on, and how often each struck."""
        return self._get("/faults")

    def mend(self, endpoint_id: str | None = None, fault: str | None = None) -> None:
        """Switch faults off; jobs that F6 held in the queue go on."""
        query = {"endpoint": endpoint_id, "fault": fault}
        params = {name: value for name, value in query.items() if value is not None}
        _checked(self._http.delete("/faults", params=params))

    def advance(self, seconds: float) -> None:
        """Let simulated seconds pass now, whatever the clock's mode."""
        self._post("/clock", {"advance": seconds})

    def set_clock(self, *, scale: float | None = None, manual: bool | None = None) -> None:
        """Change the clock's speed, or stop it and start it."""
        self._post("/clock", {"scale": scale, "manual": manual})

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return float(self._get("/clock")["now"])

    def jobs(self, endpoint_id: str | None = None) -> list[JSON]:
        """All jobs ever accepted, oldest first, those that the platform forgot included."""
        params = {} if endpoint_id is None else {"endpoint": endpoint_id}
        jobs: list[JSON] = _checked(self._http.get("/jobs", params=params))["jobs"]
        return jobs

    def wait_for(
        self, endpoint_id: str, condition: Callable[[list[JSON]], bool], *, seconds: float = 10.0
    ) -> list[JSON]:
        """The endpoint's jobs as soon as `condition` holds for them.

        Raises:
            TimeoutError: it did not within real `seconds`.
        """
        deadline = time.monotonic() + seconds
        while True:
            jobs = self.jobs(endpoint_id)
            if condition(jobs):
                return jobs
            if time.monotonic() > deadline:
                raise TimeoutError(f"{endpoint_id}: {jobs}")
            time.sleep(0.02)

    def set_seed(self, seed: int) -> None:
        """Set the seed of the faults."""
        self._post("/seed", {"seed": seed})

    def reset(self) -> None:
        """Forget jobs, faults, behaviours and timers; keep endpoints, keys and settings."""
        self._post("/reset", {})

    def _get(self, path: str) -> JSON:
        return _checked(self._http.get(path))

    def _post(self, path: str, body: JSON) -> JSON:
        return _checked(self._http.post(path, json=body))


def _checked(reply: httpx.Response) -> JSON:
    body: JSON = reply.json()
    if reply.status_code != 200:
        raise ValueError(body["problem"])
    return body
