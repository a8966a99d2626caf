"""Calls RunPod's official Python client does against a simulator; prints what it got as JSON.

Run by the workers' Python, as the client comes with the SDK: `official_client.py BASE_URL KEY`.
"""

import asyncio
import json
import sys
from typing import Any

import runpod
from runpod import AsyncioEndpoint, AsyncioJob, Endpoint, http_client

JSON = dict[str, Any]


def use_synchronously() -> JSON:
    quick, streamed, slow = Endpoint("quick"), Endpoint("streamed"), Endpoint("slow")
    job = quick.run({"prompt": "x"})
    output = job.output(timeout=10)
    whole = quick.run({"input": {"prompt": "y"}, "policy": {"ttl": 60_000}})
    stream = list(streamed.run({"prompt": "x"}).stream())
    waiting = slow.run({"prompt": "x"})
    before = waiting.status()
    return {
        "run_id": job.job_id,
        "output": output,
        "status": job.status(),
        "policy_job": whole.job_id,
        "run_sync": quick.run_sync({"prompt": "x"}, timeout=10),
        "stream": stream,
        "before_cancel": before,
        "cancel": waiting.cancel(timeout=5),
        "after_cancel": Endpoint("slow").rp_client.get(f"slow/status/{waiting.job_id}")["status"],
        "health": quick.health(),
        "queued": slow.run({"prompt": "x"}).job_id,
        "purge_queue": slow.purge_queue(),
        "failed": Endpoint("failing").run_sync({"prompt": "x"}, timeout=5),
    }


async def use_asynchronously() -> JSON:
    async with http_client.AsyncClientSession() as session:
        endpoint = AsyncioEndpoint("quick", session)
        job: AsyncioJob = await endpoint.run({"prompt": "x"})
        output = await job.output(timeout=10)
        state = await job.status()
        streamed = await AsyncioEndpoint("streamed", session).run({"prompt": "x"})
        chunks = [chunk async for chunk in streamed.stream()]
        slow = AsyncioEndpoint("slow", session)
        waiting = await slow.run({"prompt": "x"})
        cancelled = await waiting.cancel()
        return {
            "output": output,
            "status": state,
            "stream": chunks,
            "cancel": cancelled,
            "health": await endpoint.health(),
        }


async def use_both() -> JSON:
    synchronous, asynchronous = await asyncio.gather(
        asyncio.to_thread(use_synchronously), use_asynchronously()
    )
    return {"sync": synchronous, "asyncio": asynchronous}


def refusal(endpoint_id: str) -> str:
    try:
        Endpoint(endpoint_id).run({"prompt": "x"})
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"
    return "none"


def main(base_url: str, key: str) -> None:
    runpod.endpoint_url_base = base_url
    runpod.api_key = key
    results = asyncio.run(use_both())
    results["unknown_endpoint"] = refusal("nowhere")
    runpod.api_key = "wrong"
    results["wrong_key"] = refusal("quick")
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
