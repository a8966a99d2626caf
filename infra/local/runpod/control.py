"""The control interface under `/_sim/...`: what tests and the local platform tell the simulator.

RunPod has nothing like it; production code must never know these paths.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from infra.local.runpod.endpoint import Endpoint, Settings
from infra.local.runpod.fault_table import FAULTS
from infra.local.runpod.faults import Switch
from infra.local.runpod.jobs import control_view
from infra.local.runpod.scripted import check_behaviour
from infra.local.runpod.simulator import Simulator, json_reply

JSON = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[JSON]]


class Control:
    """Handlers of the control interface; a wrong request is answered 400 with the reason."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sim/ready", _answered(self._ready)),
            web.post("/_sim/endpoints", _answered(self._add_endpoint)),
            web.get("/_sim/endpoints", _answered(self._list_endpoints)),
            web.post("/_sim/behaviour", _answered(self._behave)),
            web.get("/_sim/faults", _answered(self._list_faults)),
            web.post("/_sim/faults", _answered(self._add_fault)),
            web.delete("/_sim/faults", _answered(self._remove_faults)),
            web.get("/_sim/clock", _answered(self._read_clock)),
            web.post("/_sim/clock", _answered(self._set_clock)),
            web.get("/_sim/jobs", _answered(self._list_jobs)),
            web.post("/_sim/seed", _answered(self._set_seed)),
            web.post("/_sim/reset", _answered(self._reset)),
        ]

    async def _ready(self, _: web.Request) -> JSON:
        return {"ready": True, "endpoints": sorted(self._sim.endpoints)}

    async def _add_endpoint(self, request: web.Request) -> JSON:
        body = await request.json()
        settings = Settings.read(body["settings"]) if body.get("settings") else None
        endpoint = self._sim.add_endpoint(body["id"], key=body.get("key"), settings=settings)
        return {"id": endpoint.id}

    async def _list_endpoints(self, _: web.Request) -> JSON:
        return {
            endpoint.id: {
                "behaviour": endpoint.behaviour,
                "submitted": endpoint.submitted,
                "counters": dict(endpoint.counters),
                "workers": sorted(endpoint.workers),
            }
            for endpoint in self._sim.endpoints.values()
        }

    async def _behave(self, request: web.Request) -> JSON:
        body = await request.json()
        behaviour = check_behaviour(body["behaviour"])
        self._endpoint(body["endpoint"]).behave(behaviour, following=body.get("next"))
        return behaviour

    async def _list_faults(self, _: web.Request) -> JSON:
        faults = self._sim.faults
        return {
            "table": {
                name: {"meaning": f.meaning, "seenIn": f.seen_in, "variants": f.variants}
                for name, f in FAULTS.items()
            },
            "seed": faults.seed,
            "on": [{"endpoint": s.endpoint_id, "fault": s.fault} for s in faults.switches],
            "struck": [
                {"endpoint": endpoint_id, "fault": fault, "times": times}
                for (endpoint_id, fault), times in faults.struck.items()
            ],
        }

    async def _add_fault(self, request: web.Request) -> JSON:
        body = await request.json()
        indexes = body.get("indexes")
        switch = Switch(
            fault=body["fault"],
            endpoint_id=body.get("endpoint"),
            probability=body.get("probability", 1.0),
            remaining=body.get("next"),
            indexes=None if indexes is None else frozenset(indexes),
            options=body.get("options", {}),
        )
        self._sim.faults.add(switch)
        return {"fault": switch.fault}

    async def _remove_faults(self, request: web.Request) -> JSON:
        endpoint_id, fault = request.query.get("endpoint"), request.query.get("fault")
        self._sim.faults.remove(endpoint_id=endpoint_id, fault=fault)
        if fault in (None, "F6"):
            for endpoint in self._sim.endpoints.values():
                if endpoint_id in (None, endpoint.id):
                    self._sim.lifecycle.release_stuck(endpoint)
        return {}

    async def _read_clock(self, _: web.Request) -> JSON:
        clock = self._sim.clock
        return {"now": clock.now(), "scale": clock.scale, "manual": clock.manual}

    async def _set_clock(self, request: web.Request) -> JSON:
        body = await request.json()
        self._sim.clock.set(scale=body.get("scale"), manual=body.get("manual"))
        if "advance" in body:
            await self._sim.clock.advance(float(body["advance"]))
            for endpoint in self._sim.endpoints.values():
                self._sim.lifecycle.sweep(endpoint)
        return await self._read_clock(request)

    async def _list_jobs(self, request: web.Request) -> JSON:
        wanted = request.query.get("endpoint")
        endpoints = (
            list(self._sim.endpoints.values()) if wanted is None else [self._endpoint(wanted)]
        )
        return {"jobs": [control_view(job) for e in endpoints for job in e.seen]}

    async def _set_seed(self, request: web.Request) -> JSON:
        self._sim.faults.seed = int((await request.json())["seed"])
        return {"seed": self._sim.faults.seed}

    async def _reset(self, _: web.Request) -> JSON:
        self._sim.reset()
        return {}

    def _endpoint(self, endpoint_id: str) -> Endpoint:
        endpoint = self._sim.endpoints.get(endpoint_id)
        if endpoint is None:
            raise ValueError(f"no endpoint {endpoint_id}")
        return endpoint


def _answered(handle: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return json_reply(await handle(request))
        except (ValueError, TypeError, KeyError) as problem:
            return json_reply({"problem": repr(problem)}, status=400)

    return answer
