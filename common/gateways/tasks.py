"""Cloud Tasks: wake-ups for executions. A task is never state; losing one only costs time."""

import os
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.boundary import assert_no_session
from common.gateways.errors import GatewayError
from common.settings import Settings

DEADLINE_SECONDS = 10.0


class TaskNotCreated(GatewayError):
    """Cloud Tasks did not take the task; the sweep will do its work."""


@dataclass(frozen=True)
class Wake:
    """A wake-up: which route of the tasks function, with which body, and when."""

    path: str
    body: bytes
    at: datetime


class Tasks:
    """Creates tasks that call the tasks function with an OIDC token."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._pid = 0

    def create(self, wake: Wake) -> None:
        """Schedules a wake-up. Unnamed on purpose: names are slow and the row is the guard."""
        assert_no_session()
        from google.api_core.exceptions import GoogleAPICallError, RetryError

        try:
            self._connected().create_task(request=self._request(wake), timeout=DEADLINE_SECONDS)
        except (GoogleAPICallError, RetryError, OSError) as error:
            raise TaskNotCreated(type(error).__name__) from error

    def _request(self, wake: Wake) -> Any:
        from google.cloud import tasks_v2
        from google.protobuf import timestamp_pb2

        base = self._settings.tasks_target_url
        at = timestamp_pb2.Timestamp()
        at.FromDatetime(wake.at)
        token = tasks_v2.OidcToken(
            service_account_email=self._settings.invoker_email, audience=base
        )
        call = tasks_v2.HttpRequest(
            http_method=tasks_v2.HttpMethod.POST,
            url=base.rstrip("/") + wake.path,
            headers={"Content-Type": "application/json"},
            body=wake.body,
            oidc_token=token,
        )
        task = tasks_v2.Task(http_request=call, schedule_time=at)
        return tasks_v2.CreateTaskRequest(parent=self._settings.task_queue_path, task=task)

    def _connected(self) -> Any:
        """One client per process: gRPC channels do not survive a fork."""
        if self._client is None or self._pid != os.getpid():
            with self._lock:
                if self._client is None or self._pid != os.getpid():
                    self._client, self._pid = self._connect(), os.getpid()
        return self._client

    def _connect(self) -> Any:
        from google.cloud import tasks_v2

        host = self._settings.cloud_tasks_emulator_host
        if not host:
            return tasks_v2.CloudTasksClient()
        import grpc
        from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

        return tasks_v2.CloudTasksClient(
            transport=CloudTasksGrpcTransport(channel=grpc.insecure_channel(host))
        )
