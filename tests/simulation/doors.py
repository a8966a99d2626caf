"""The real functions, called in this process as functions-framework calls them."""

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from tests.simulation import invocations
from tests.simulation.crashes import Crash, Steps

Function = Callable[[Request], Response]


@dataclass(frozen=True)
class Answer:
    """What came back. Status 0: the process died, nothing came back."""

    status: int
    body: Any = None
    asked_at: float = 0.0

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def broken(self) -> bool:
        """Whether the caller cannot know what happened."""
        return self.status == 0 or self.status >= 500

    @property
    def data(self) -> Any:
        return self.body["data"]


class Doors:
    """Knocks at functions and watches how they take it."""

    def __init__(self, steps: Steps, functions: dict[str, Function]) -> None:
        self._steps = steps
        self.functions = functions
        self.answered: Counter[str] = Counter()
        self.unexpected: list[str] = []

    def call(
        self, function: str, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        """One request to its end; a crash is an answer with status 0."""
        invocation = invocations.begin(f"{function} {path}")
        asked_at = self._steps.scheduler.seconds
        try:
            response = self.functions[function](_request(method, path, body, headers))
            answer = Answer(response.status_code, _read(response), asked_at)
        except Crash:
            answer = Answer(0)
        if answer.broken:
            for job in invocation.jobs:
                job.orphaned = True
        if answer.status >= 500 and not invocation.excused:
            self.unexpected.append(f"{answer.status} from {method} {function} {path}")
        self.answered[f"{function} {answer.status}"] += 1
        self._steps.scheduler.note(function, method, path.partition("?")[0], answer.status)
        return answer


def _request(method: str, path: str, body: Any, headers: dict[str, str]) -> Request:
    content = (
        b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    )
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "tarsify",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(content),
        "HTTP_X_REQUEST_ID": "simulated",
    }
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return Request(environ)


def _read(response: Response) -> Any:
    content = response.get_data()
    return json.loads(content) if content else None
