"""`python -m infra.local.runpod`: the simulator as a process."""

import argparse
import asyncio
import signal

from infra.local.runpod.app import serve, stop
from infra.local.runpod.endpoint import Settings
from infra.local.runpod.simulator import Simulator


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.runpod", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--key", required=True, help="the API key of the simulated account")
    parser.add_argument("--endpoint", action="append", default=[], help="repeatable")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--time-scale", type=float, default=1.0, help="simulated s per real s")
    parser.add_argument("--rate-limits", action="store_true", help="limit requests as RunPod does")
    return parser.parse_args(arguments)


async def main(options: argparse.Namespace) -> None:
    """Serve until a signal comes."""
    simulator = Simulator(key=options.key, seed=options.seed, time_scale=options.time_scale)
    for endpoint_id in options.endpoint:
        simulator.add_endpoint(endpoint_id, settings=Settings(rate_limits=options.rate_limits))
    runner = await serve(simulator, host=options.host, port=options.port)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    print(f"RunPod simulator ready at {simulator.base_url}/v2", flush=True)
    await ended.wait()
    await stop(simulator, runner)


if __name__ == "__main__":
    asyncio.run(main(parse_arguments()))
