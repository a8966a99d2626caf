"""One attempt: the HTTP request that a task is, with the headers Cloud Tasks adds."""

from __future__ import annotations

import time
from dataclasses import dataclass

import aiohttp

from infra.local.signing import SigningKey
from infra.local.tasks import protos
from infra.local.tasks.protos import Message

TOKEN_LIFE = 3600
DEFAULT_DEADLINE = 600.0
ISSUER = "https://accounts.google.com"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What came of one dispatch; `status` None means that no answer arrived."""

    task: str
    at: float
    status: int | None
    retry_after: float | None = None
    error: str = ""

    @property
    def succeeded(self) -> bool:
        """Only a 2xx answer ends a task."""
        return self.status is not None and 200 <= self.status < 300


class Courier:
    """Sends tasks over pooled connections; identity tokens are reused until near their end."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._tokens: dict[tuple[str, str], tuple[float, str]] = {}
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        """Close the pool."""
        await self._http.close()

    async def deliver(self, task: Message, now: float) -> Attempt:
        """Dispatch `task`; never raises for what the target does."""
        request = task.http_request
        deadline = protos.seconds(task.dispatch_deadline) or DEFAULT_DEADLINE
        try:
            async with self._http.request(
                protos.method_name(request.http_method),
                request.url,
                data=request.body or None,
                headers=self._headers(task),
                timeout=aiohttp.ClientTimeout(total=deadline),
            ) as answer:
                await answer.read()
                wait = answer.headers.get("Retry-After", "")
                return Attempt(
                    task=task.name,
                    at=now,
                    status=answer.status,
                    retry_after=float(wait) if wait.isdecimal() else None,
                )
        except TimeoutError:
            return Attempt(task=task.name, at=now, status=None, error="deadline exceeded")
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            return Attempt(task=task.name, at=now, status=None, error=repr(problem))

    def _headers(self, task: Message) -> dict[str, str]:
        request = task.http_request
        queue, _, short = task.name.rpartition("/tasks/")
        headers = dict(request.headers)
        if request.body and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/octet-stream"
        headers |= {
            "User-Agent": "Google-Cloud-Tasks",
            "X-CloudTasks-QueueName": queue.rpartition("/")[2],
            "X-CloudTasks-TaskName": short,
            "X-CloudTasks-TaskRetryCount": str(task.dispatch_count - 1),
            "X-CloudTasks-TaskExecutionCount": str(task.response_count),
            "X-CloudTasks-TaskETA": f"{protos.seconds(task.schedule_time):.6f}",
        }
        # The queue reports the last answer as a gRPC status; HTTP's number rides in its message.
        if task.last_attempt.response_status.message.startswith("HTTP "):
            previous = task.last_attempt.response_status.message.removeprefix("HTTP ")
            headers["X-CloudTasks-TaskPreviousResponse"] = previous
        if request.HasField("oidc_token"):
            headers["Authorization"] = f"Bearer {self._token(request)}"
        return headers

    def _token(self, request: Message) -> str:
        email = request.oidc_token.service_account_email
        audience = request.oidc_token.audience or request.url
        expires, token = self._tokens.get((email, audience), (0.0, ""))
        now = int(time.time())
        if expires - now < TOKEN_LIFE / 2:
            expires = now + TOKEN_LIFE
            token = self._key.sign(_claims(email, audience, now))
            self._tokens[email, audience] = (expires, token)
        return token


def _claims(email: str, audience: str, now: int) -> dict[str, object]:
    subject = str(int.from_bytes(email.encode()[:8], "big"))
    return {
        "iss": ISSUER,
        "aud": audience,
        "azp": subject,
        "sub": subject,
        "email": email,
        "email_verified": True,
        "iat": now,
        "exp": now + TOKEN_LIFE,
    }
