"""Short ways to submit and look at a job."""

from typing import Any

import httpx

JSON = dict[str, Any]


def run(api: httpx.Client, webhook: str | None = None, **policy: int) -> str:
    """Submit a job and return its id."""
    body: JSON = {"input": {"prompt": "a bridge"}, "policy": policy}
    if webhook is not None:
        body["webhook"] = webhook
    reply = api.post("/run", json=body)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["id"])


def status(api: httpx.Client, job_id: str) -> JSON:
    """The job object."""
    reply = api.get(f"/status/{job_id}")
    assert reply.status_code == 200, reply.text
    body: JSON = reply.json()
    return body
