"""RunPod's job API: submit once, and look, cancel or ask for health as often as needed.

Nothing here limits the rate of calls: RunPod's limits hold per endpoint and for all our processes
together, so the task queue's dispatch rate bounds them, and a 429 that comes through is told apart.
"""

import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from common.boundary import assert_no_session
from common.gateways.runpod_errors import (
    Refusal,
    RunPodUnavailable,
    SubmitRefused,
    SubmitUnknown,
    Trouble,
    refusal_in,
    trouble_in,
)
from common.gateways.runpod_report import (
    MISSING,
    EndpointHealth,
    JobReport,
    JobState,
    read_health,
    read_report,
)

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

__all__ = [
    "MISSING",
    "EndpointHealth",
    "JobReport",
    "JobState",
    "Refusal",
    "RunPod",
    "RunPodUnavailable",
    "SubmitRefused",
    "SubmitUnknown",
    "Trouble",
]

# Bounds of a job's policy in ms (runpod.md 2.2); values outside would be answered 400.
EXECUTION_TIMEOUT_MS = (5_000, 7 * 86_400_000)
TTL_MS = (10_000, 7 * 86_400_000)
# Larger than any result that RunPod takes from a worker (runpod.md 1.5), so only nonsense is.
MAX_ANSWER_BYTES = 40 * 1024 * 1024
# Middle boxes forget idle connections silently; a submit on such a one would be of unknown outcome.
IDLE_SECONDS = 30.0

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class RunPod:
    """One client per process; safe to share between threads.

    No message or exception of it carries the key, a webhook URL or a job's input.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        connect_timeout_s: float = 3.0,
        submit_timeout_s: float = 10.0,
        read_timeout_s: float = 5.0,
        attempts: int = 3,
    ) -> None:
        if not api_key.isascii() or not api_key.isprintable():
            raise ValueError("the RunPod key has characters that no header can carry")
        if not base_url.startswith(("https://", "http://")):
            raise ValueError("the RunPod address must be an http or https URL")
        self._base_url = base_url
        self._path = urlsplit(base_url).path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._connect_timeout_s = connect_timeout_s
        self._submit_timeout_s = submit_timeout_s
        self._read_timeout_s = read_timeout_s
        self._attempts = attempts
        self._used_at = 0.0
        self._pool: HTTPConnectionPool | None = None

    def submit(
        self,
        endpoint_id: str,
        *,
        payload: dict[str, Any],
        webhook_url: str | None,
        execution_timeout_ms: int,
        ttl_ms: int,
    ) -> str:
        """POST /run exactly once; returns the job id. There is no idempotency key (runpod.md 1.2).

        ttl_ms counts from now and covers queue and run; RunPod deletes the job when it is over.
        Raises SubmitRefused when there is certainly no job, SubmitUnknown when nobody can say.
        """
        assert_no_session()
        from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

        if not _NAME.fullmatch(endpoint_id):
            raise SubmitRefused(Refusal.UNKNOWN_ENDPOINT)
        job: dict[str, Any] = {
            "input": payload,
            "policy": {
                "executionTimeout": _clamped(execution_timeout_ms, EXECUTION_TIMEOUT_MS),
                "ttl": _clamped(ttl_ms, TTL_MS),
            },
        }
        if webhook_url is not None:
            job["webhook"] = webhook_url
        body = json.dumps(job, ensure_ascii=False).encode()
        try:
            status, answer = self._call(
                "POST", f"{endpoint_id}/run", timeout_s=self._submit_timeout_s, body=body
            )
        except (NewConnectionError, ConnectTimeoutError):  # not a byte of the job was sent
            raise SubmitRefused(Refusal.UNREACHABLE) from None
        except (HTTPError, ValueError) as error:
            raise SubmitUnknown(type(error).__name__) from None
        return _job_id(status, answer)

    def status(self, endpoint_id: str, job_id: str) -> JobReport:
        """One look at a job, repeated a little on passing trouble. Raises RunPodUnavailable.

        A result can be read for 30 minutes after the end (runpod.md 0.1); then the job is GONE.
        """
        if not _NAME.fullmatch(job_id):
            return JobReport(job_id, JobState.GONE)
        status, answer = self._ask("GET", endpoint_id, f"status/{job_id}")
        if status == 404:
            return JobReport(job_id, JobState.GONE)
        return _readable(lambda: read_report(answer, job_id=job_id))

    def cancel(self, endpoint_id: str, job_id: str) -> bool:
        """Ask RunPod to stop a job; False when it knows no such job. Raises RunPodUnavailable.

        The answer proves nothing: a job may complete after it (P16), another 4xx usually means that
        it has ended, and a job that was just submitted may not be known yet (P7). Only `status`
        tells.
        """
        if not _NAME.fullmatch(job_id):
            return False
        status, _ = self._ask("POST", endpoint_id, f"cancel/{job_id}", accept_rejection=True)
        return status != 404

    def stream(self, endpoint_id: str, job_id: str, *, wait_ms: int) -> tuple[bool, list[Any]]:
        """What a job has put out since the last call: each piece is had once (runpod.md 1.1).

        Waits so long for a first piece, at least 1,000 ms. Answers whether the job still goes on,
        and the pieces. Not repeated, since a repeat would lose some. Raises RunPodUnavailable.
        """
        assert_no_session()
        if not (_NAME.fullmatch(job_id) and _NAME.fullmatch(endpoint_id)):
            raise RunPodUnavailable(Trouble.UNKNOWN_ENDPOINT)
        status, answer = self._ask_once(
            "GET", f"{endpoint_id}/stream/{job_id}?wait={wait_ms}", False
        )
        if status == 404 or not isinstance(answer, dict):
            return False, []
        pieces = answer.get("stream")
        told = [each.get("output") for each in pieces or [] if isinstance(each, dict)]
        return answer.get("status") in {"IN_QUEUE", "IN_PROGRESS", "RUNNING"}, told

    def health(self, endpoint_id: str) -> EndpointHealth:
        """The endpoint's queue and workers. Raises RunPodUnavailable."""
        status, answer = self._ask("GET", endpoint_id, "health")
        if status == 404:
            raise RunPodUnavailable(Trouble.UNKNOWN_ENDPOINT)
        return _readable(lambda: read_health(answer))

    def _ask(
        self, method: str, endpoint_id: str, path: str, *, accept_rejection: bool = False
    ) -> tuple[int, Any]:
        """A call that may be repeated. Returns 2xx and 404 (and 4xx if accepted)."""
        assert_no_session()
        import tenacity

        if not _NAME.fullmatch(endpoint_id):
            raise RunPodUnavailable(Trouble.UNKNOWN_ENDPOINT)
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=1.0),
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, RunPodUnavailable) and error.passing
            ),
            reraise=True,
        )
        return retrying(self._ask_once, method, f"{endpoint_id}/{path}", accept_rejection)

    def _ask_once(self, method: str, path: str, accept_rejection: bool) -> tuple[int, Any]:
        from urllib3.exceptions import HTTPError

        try:
            status, answer = self._call(method, path, timeout_s=self._read_timeout_s)
        except HTTPError:
            raise RunPodUnavailable(Trouble.NETWORK) from None
        except ValueError:
            raise RunPodUnavailable(Trouble.UNREADABLE) from None
        trouble = trouble_in(status, answer)
        if trouble is None or (trouble is Trouble.REJECTED and accept_rejection):
            return status, answer
        raise RunPodUnavailable(trouble)

    def _call(
        self, method: str, path: str, *, timeout_s: float, body: bytes | None = None
    ) -> tuple[int, Any]:
        """One exchange: the code, and the JSON body (or its beginning, when it is not JSON)."""
        from urllib3 import Timeout

        response = self._connections().urlopen(
            method,
            f"{self._path}/{quote(path, safe='/?=')}",
            body=body,
            headers=self._headers,
            timeout=Timeout(connect=self._connect_timeout_s, read=timeout_s),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        raw = _bounded_body(response)
        try:
            return response.status, json.loads(raw)
        except (ValueError, RecursionError):
            return response.status, raw[:500].decode(errors="replace")

    def _connections(self) -> "HTTPConnectionPool":
        """The pool, a new one after a pause. What still runs on the old one may end there."""
        now = time.monotonic()
        pool = self._pool
        if pool is None or now - self._used_at > IDLE_SECONDS:
            self._pool = pool = _connection_pool(self._base_url)
        self._used_at = now
        return pool


def _connection_pool(base_url: str) -> "HTTPConnectionPool":
    """urllib3 itself: what requests adds around it costs as much again, and no proxy or .netrc of
    the environment comes between."""
    import certifi
    from urllib3 import connection_from_url

    secure = {"cert_reqs": "CERT_REQUIRED", "ca_certs": certifi.where()}
    trust = secure if base_url.startswith("https://") else {}
    return connection_from_url(base_url, maxsize=32, **trust)


def _job_id(status: int, answer: Any) -> str:
    refusal = refusal_in(status, answer)
    if refusal is not None:
        raise SubmitRefused(refusal)
    job_id = answer.get("id") if isinstance(answer, dict) else None
    if not 200 <= status < 300 or not isinstance(job_id, str) or not _NAME.fullmatch(job_id):
        raise SubmitUnknown(f"HTTP {status}")
    return job_id


def _readable(read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError:
        raise RunPodUnavailable(Trouble.UNREADABLE) from None


def _bounded_body(response: "BaseHTTPResponse") -> bytes:
    """The whole body; its connection is kept. Raises ValueError beyond MAX_ANSWER_BYTES."""
    raw = response.read(MAX_ANSWER_BYTES + 1)
    if len(raw) > MAX_ANSWER_BYTES:
        response.close()
        raise ValueError("answer too large")
    response.release_conn()
    return raw


def _clamped(value: int, bounds: tuple[int, int]) -> int:
    return max(bounds[0], min(bounds[1], value))
