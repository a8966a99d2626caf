"""Endpoints that RunPod put to sleep get their workers back.

Without traffic it lowers the most workers an endpoint may have to 2 after three days and to none
after seven, and leaves it there: jobs would then wait for ever (runpod.md 0.1).
"""

from typing import TYPE_CHECKING, Protocol

from common import logs
from common.catalog import queries
from common.db import Database
from common.gateways.errors import GatewayError
from common.gateways.runpod_endpoints import Workers
from common.settings import Settings

if TYPE_CHECKING:
    from common.gateways.runpod_endpoints import RunPodEndpoints

log = logs.Log("catalog")


class Tools(Protocol):
    """What is needed for it; common.runtime.Runtime is one."""

    @property
    def settings(self) -> Settings: ...
    @property
    def db(self) -> Database: ...
    @property
    def runpod_endpoints(self) -> "RunPodEndpoints": ...


def keep_awake(tools: Tools) -> int:
    """Gives active endpoints the workers that they are meant to have; answers to how many.

    Without a management key nobody is asked. What cannot be done now is done an hour later.
    """
    if not tools.settings.runpod_management_key:
        return 0
    with tools.db.step() as connection:
        ours = queries.active_runpod_ids(connection)
    try:
        found = {each.endpoint_id: each for each in tools.runpod_endpoints.workers()}
    except GatewayError as error:
        log.error("RunPod's endpoints cannot be read", exception=error)
        return 0
    for missing in sorted(ours - set(found)):
        log.error("endpoint is gone at RunPod", endpointId=missing)
    asleep = [each for each in found.values() if each.endpoint_id in ours and _asleep(each)]
    return sum(_wake(tools, each) for each in asleep)


def _asleep(workers: Workers) -> bool:
    return workers.meant is not None and workers.most < workers.meant


def _wake(tools: Tools, workers: Workers) -> bool:
    try:
        tools.runpod_endpoints.give_back(workers)
    except GatewayError as error:
        log.error("endpoint stays without workers", exception=error, endpointId=workers.endpoint_id)
        return False
    log.warning(
        "endpoint had lost workers",
        endpointId=workers.endpoint_id,
        most=workers.most,
        meant=workers.meant,
    )
    return True
