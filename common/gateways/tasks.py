"""Cloud Tasks: wake-ups for executions. A task is never state; losing one only costs time."""

import os
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from common.boundary import assert_no_session
from common.gateways.errors import GatewayError
from common.settings import Settings

DEADLINE_SECONDS = 10.0
# A queue each, by the route that a wake-up calls: a crowd of polls keeps no start waiting.
KINDS = ("submit", "poll", "timeout", "deliver")


class TaskNotCreated(GatewayError):
    """Cloud Tasks did not take the task; the sweep will do its work."""


@dataclass(frozen=True)
class Wake:
    """A wake-up: which route of the tasks function, with which body, and when."""

    path: str
    body: bytes
    at: datetime

    @property
    def kind(self) -> str:
        return self.path.removeprefix("/")


class Tasks:
    """Creates tasks that call the tasks function with an OIDC token."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Any = None
        self._pid = 0

    def create(self, wake: Wake) -> None:
        """Schedules a wake-up. Unnamed on purpose: names are slow and the row is the guard.

        Raises TaskNotCreated. Plain protocol buffers go straight to the client's stub: its own
        wrappers cost as much again and would only retry, which Cloud Tasks' clients do not.
        """
        assert_no_session()
        import grpc

        parent = self._settings.task_queue_path(wake.kind)
        try:
            self._connected().transport.create_task(
                self._request(parent, wake),
                timeout=DEADLINE_SECONDS,
                metadata=[("x-goog-request-params", f"parent={quote(parent, safe='')}")],
            )
        except grpc.RpcError as error:
            code = error.code() if isinstance(error, grpc.Call) else type(error)
            raise TaskNotCreated(getattr(code, "name", str(code))) from error
        except OSError as error:
            raise TaskNotCreated(type(error).__name__) from error

    def _request(self, parent: str, wake: Wake) -> Any:
        from google.cloud import tasks_v2

        base = self._settings.tasks_target_url
        request = tasks_v2.CreateTaskRequest.pb()(parent=parent)
        request.task.schedule_time.FromDatetime(wake.at)
        call = request.task.http_request
        call.http_method = tasks_v2.HttpMethod.POST
        call.url = base.rstrip("/") + wake.path
        call.headers["Content-Type"] = "application/json"
        call.body = wake.body
        call.oidc_token.service_account_email = self._settings.invoker_email
        call.oidc_token.audience = base
        return request

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
