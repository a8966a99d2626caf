"""What a function is made of at run time: built once per process, on first use, after the fork.

The one place that knows all parts. Tests hand in their own with `install`.
"""

import os
from functools import cached_property
from typing import TYPE_CHECKING

from common.clock import Clock, SystemClock
from common.db import Database
from common.gateways.identity import Identities
from common.settings import Settings, settings
from common.tracing import NoTraces, Traces

if TYPE_CHECKING:
    from common.gateways.invoker import Invokers
    from common.gateways.outbound import Outbound
    from common.gateways.runpod import RunPod
    from common.gateways.runpod_bills import RunPodBills
    from common.gateways.runpod_endpoints import RunPodEndpoints
    from common.gateways.storage import Storage
    from common.gateways.stripe import Stripe
    from common.gateways.tasks import Tasks
    from common.traffic.service import Traffic


class Runtime:
    """Lazy parts: a function that never touches storage never imports its client."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()

    @cached_property
    def db(self) -> Database:
        return Database(self.settings)

    @cached_property
    def identities(self) -> Identities:
        return Identities(self.settings)

    @cached_property
    def gate(self) -> "Traffic":
        from common.traffic.service import Traffic

        return Traffic(self.db, self.settings, self.clock)

    @cached_property
    def invokers(self) -> "Invokers":
        from common.gateways.invoker import Invokers

        return Invokers(self.settings)

    @cached_property
    def runpod(self) -> "RunPod":
        from common.gateways.runpod import RunPod

        return RunPod(self.settings.runpod_base_url, self.settings.runpod_api_key)

    @cached_property
    def runpod_bills(self) -> "RunPodBills":
        from common.gateways.runpod_bills import RunPodBills

        return RunPodBills(self.settings.runpod_management_url, self.settings.runpod_management_key)

    @cached_property
    def runpod_endpoints(self) -> "RunPodEndpoints":
        from common.gateways.runpod_endpoints import RunPodEndpoints

        return RunPodEndpoints(
            self.settings.runpod_management_url, self.settings.runpod_management_key
        )

    @cached_property
    def storage(self) -> "Storage":
        from common.gateways.storage import Storage

        return Storage(self.settings)

    @cached_property
    def upload_storage(self) -> "Storage":
        from common.gateways.storage import Storage

        return Storage(self.settings, bucket=self.settings.upload_bucket)

    @cached_property
    def outbound(self) -> "Outbound":
        from common.gateways.outbound import Outbound

        return Outbound(self.settings.trusted_origins)

    @cached_property
    def stripe(self) -> "Stripe":
        from common.gateways.stripe import Stripe

        return Stripe(self.settings)

    @cached_property
    def traces(self) -> Traces:
        if not self.settings.trace_share:
            return NoTraces()
        from common.gateways.traces import CloudTraces, cloud_exporter

        return CloudTraces(
            share=self.settings.trace_share,
            project=self.settings.gcp_project,
            exporter=cloud_exporter(self.settings),
        )

    @cached_property
    def tasks(self) -> "Tasks":
        from common.gateways.tasks import Tasks

        return Tasks(self.settings)


_runtimes: dict[int, Runtime] = {}


def runtime() -> Runtime:
    """This process's runtime; a copy inherited through a fork is never used."""
    pid = os.getpid()
    if pid not in _runtimes:
        _runtimes[pid] = Runtime(settings())
    return _runtimes[pid]


def install(instance: Runtime) -> None:
    """Makes `instance` this process's runtime."""
    _runtimes[os.getpid()] = instance
