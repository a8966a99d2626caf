"""Cloud Scheduler's part: a call each minute, through the task queue so that its token is real."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

HOUR = 60  # sweeps; what comes hourly when they come each minute


class Scheduler:
    """Asks cleanup to sweep every `seconds`, and to check the books every 60th time."""

    def __init__(
        self, *, tasks_target: str, queue: str, url: str, invoker: str, seconds: float
    ) -> None:
        self._target, self._queue, self._url = tasks_target, queue, url
        self._invoker, self._seconds = invoker, seconds
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        from google.api_core.exceptions import GoogleAPICallError

        from infra.local.tasks.running import connect

        client = connect(self._target)
        count = 0
        while not self._ending.wait(self._seconds):
            count += 1
            paths = ["/sweep", "/cancels", "/payments"]
            paths += ["/audit", "/reconcile", "/endpoints"] if count % HOUR == 0 else []
            for path in paths:
                # A queue that is being restarted misses a beat, as the real one may.
                with suppress(GoogleAPICallError):
                    client.create_task(parent=self._queue, task=self._task(path), timeout=5)

    def _task(self, path: str) -> Any:
        from google.cloud import tasks_v2

        token = tasks_v2.OidcToken(service_account_email=self._invoker, audience=self._url)
        call = tasks_v2.HttpRequest(
            http_method=tasks_v2.HttpMethod.POST, url=self._url + path, oidc_token=token
        )
        return tasks_v2.Task(http_request=call)
