"""Makes or checks the catalogue's endpoints at RunPod.

Without --apply it only reads and prints what would change. The key comes from
RUNPOD_MANAGEMENT_KEY, ids of endpoints made earlier from the catalogue's settings (RUNPOD_EP_*);
without an id an endpoint is known by its name. Done twice it changes nothing.
Ends 0 when all is as wanted, 3 when something would change, 1 when it cannot go on.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from common.gateways.errors import GatewayError
from common.gateways.runpod_endpoints import RunPodEndpoints
from common.settings import ConfigurationError, read
from infra.runpod_setup.planning import Step, plan
from infra.runpod_setup.wanted import CATALOGUE, SetupError, Wanted, wanted

AS_WANTED, FAILED, DIFFERENT = 0, 1, 3


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """The command line; answers the number to exit with."""
    options = _parser().parse_args(arguments)
    try:
        settings = read(environment)
        if not settings.runpod_management_key:
            raise SetupError("set RUNPOD_MANAGEMENT_KEY: a key that may read and write endpoints")
        endpoints = RunPodEndpoints(settings.runpod_management_url, settings.runpod_management_key)
        aims = wanted(
            options.catalogue, prefix=options.prefix, images=_images(options), only={*options.only}
        )
        _check_pools(aims, endpoints.pools())
        steps = plan(aims, endpoints.all(), environment)
        return _apply(endpoints, steps) if options.apply else _show(steps)
    except (SetupError, GatewayError, ConfigurationError) as error:
        print(f"infra/runpod-setup: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="infra/runpod-setup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--apply", action="store_true", help="make and change, not only tell")
    parser.add_argument("--prefix", default="tarsify", help="endpoints are named PREFIX-KEY")
    parser.add_argument(
        "--only", action="append", default=[], metavar="KEY", help="of the catalogue"
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="KEY=REPOSITORY@sha256:...",
        help="instead of the catalogue's",
    )
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE)
    return parser


def _images(options: argparse.Namespace) -> dict[str, str]:
    pairs = [each.partition("=") for each in options.image]
    return {key: image for key, _, image in pairs}


def _check_pools(aims: list[Wanted], known: set[str]) -> None:
    for each in aims:
        if unknown := each.pools - known:
            raise SetupError(f"{each.key}: RunPod has no GPU pool {', '.join(sorted(unknown))}")


def _show(steps: list[Step]) -> int:
    for step in steps:
        print(_line(step, "would "))
    _print_ids({step.wanted.setting: step.endpoint_id for step in steps})
    return DIFFERENT if any(step.told for step in steps) else AS_WANTED


def _apply(endpoints: RunPodEndpoints, steps: list[Step]) -> int:
    ids = {}
    for step in steps:
        endpoint_id = step.endpoint_id
        if endpoint_id is None:
            endpoint_id = endpoints.create(step.changes)
        elif step.changes:
            endpoints.change(endpoint_id, step.changes)
        ids[step.wanted.setting] = endpoint_id
        print(_line(step, ""))
    _print_ids(ids)
    return AS_WANTED


def _line(step: Step, mood: str) -> str:
    if step.endpoint_id is None:
        return f"{step.wanted.key}: {mood}{'; '.join(step.told)}"
    if not step.told:
        return f"{step.wanted.key}: {step.endpoint_id} is as wanted"
    return f"{step.wanted.key}: {mood}change {step.endpoint_id}: {'; '.join(step.told)}"


def _print_ids(ids: Mapping[str, str | None]) -> None:
    """What `infra/seed` reads from its environment."""
    for setting, endpoint_id in ids.items():
        if endpoint_id is not None:
            print(f"{setting}={endpoint_id}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
