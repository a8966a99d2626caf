"""A simulator inside the test process, on a thread and port of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from infra.local.runpod.app import serve, stop
from infra.local.runpod.client import SimulatorClient
from infra.local.runpod.simulator import Simulator

START_LIMIT_SECONDS = 10.0


@contextlib.contextmanager
def running_simulator(
    *,
    key: str = "sim-key",
    endpoints: Iterable[str] = (),
    seed: int = 0,
    time_scale: float = 1.0,
    manual_clock: bool = False,
    port: int = 0,
) -> Iterator[SimulatorClient]:
    """A running simulator, told what to do by the object this yields.

    `time_scale` is simulated seconds per real second; a manual clock moves by `advance` only.
    """
    ready: Future[str] = Future()
    ended = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def live() -> None:
        simulator = Simulator(key=key, seed=seed, time_scale=time_scale, manual_clock=manual_clock)
        for endpoint_id in endpoints:
            simulator.add_endpoint(endpoint_id)
        runner = await serve(simulator, host="127.0.0.1", port=port)
        ready.set_result(simulator.base_url)
        await ended.wait()
        await stop(simulator, runner)

    def run() -> None:
        with contextlib.closing(loop):
            try:
                loop.run_until_complete(live())
            except Exception as problem:
                if ready.done():
                    raise
                ready.set_exception(problem)

    thread = threading.Thread(target=run, name="runpod-simulator", daemon=True)
    thread.start()
    client = SimulatorClient(ready.result(START_LIMIT_SECONDS), key=key)
    try:
        yield client
    finally:
        client.close()
        loop.call_soon_threadsafe(ended.set)
        thread.join(START_LIMIT_SECONDS)
