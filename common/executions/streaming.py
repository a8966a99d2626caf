"""One run as server-sent events: its status, log and progress, its text as it comes, and its end.

An event's id says how far its reader has come, `<pieces of text>-<rank of the status>-<log lines>`,
so that whoever comes back with Last-Event-ID goes on from there. RunPod gives each piece of a
stream once: one reader at a time takes them and keeps them for all others.
"""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from common import logs
from common.errors import TarsifyError
from common.executions import queries
from common.executions.logbook import lines_after
from common.executions.queries import AnyRow, AttemptContext
from common.executions.queueing import queue_of
from common.executions.reading import Sign, status_row, status_shown
from common.executions.schemas import Queue
from common.executions.tools import Tools
from common.executions.vllm_text import read_answer
from common.executions.watching import refresh
from common.gateways.errors import GatewayError
from common.http.failures import failure_of

log = logs.Log("executions")
PAUSE_SECONDS, ALIVE_SECONDS = 0.5, 10.0
# By alarms alone a job is seen every 10 s to 2 min: too seldom for one whose consumer looks on.
LOOK_SECONDS = 5.0
STREAM_WAIT_MS = 1000
WHOLE_PIECE_SECONDS = 5.0
LAST_PIECES = timedelta(seconds=60)
_RANKS = {"PENDING": 0, "QUEUED": 1, "RUNNING": 2}
_ENDED = 3
_PLACE = re.compile(r"(\d{1,9})-([0-3])-(\d{1,4})")


@dataclass
class Place:
    """How far a reader has come: pieces of text, the rank of the status last told, log lines."""

    pieces: int = 0
    rank: int = -1
    lines: int = 0

    @classmethod
    def of(cls, last_event_id: str | None) -> "Place":
        """Where an earlier connection ended; the beginning for anything else."""
        found = _PLACE.fullmatch(last_event_id or "")
        return cls(*map(int, found.groups())) if found else cls()

    def __str__(self) -> str:
        return f"{self.pieces}-{max(self.rank, 0)}-{self.lines}"


@dataclass
class _Text:
    """Puts a worker's pieces together: a server-sent event of vLLM may be cut anywhere."""

    rest: str = ""
    told: list[str] = field(default_factory=list)

    def add(self, piece: Any) -> None:
        if isinstance(piece, str):
            whole, mark, self.rest = (self.rest + piece).rpartition("\n\n")
            piece = whole + mark
        if piece and (text := read_answer(piece).text):
            self.told.append(text)

    @property
    def cut(self) -> bool:
        """Whether the rest of a piece is still to come."""
        return self.rest != ""

    def take(self) -> list[str]:
        told, self.told = self.told, []
        return told


class RunEvents:
    """The events of one run for one reader, whose run it is."""

    def __init__(
        self, tools: Tools, execution_id: uuid.UUID, consumer_id: uuid.UUID, sign: Sign
    ) -> None:
        self._tools, self._sign = tools, sign
        self._id, self._consumer_id = execution_id, consumer_id
        self._reader = uuid.uuid4()
        self._text = _Text()
        self._queue: Any = None
        self._percent: int | None = None
        self._holds = False

    def follow(self, place: Place) -> Iterator[bytes]:
        """Bytes to send until the run has ended or the connection has lasted long enough.

        What breaks on the way ends the connection with an event `error`; its reader comes back.
        """
        try:
            yield from self._follow(place)
            self._leave()
        except Exception as error:  # the answer has begun: nobody above can say it any more
            log.error("stream broken off", exception=error, executionId=str(self._id))
            failure = error if isinstance(error, TarsifyError) else failure_of(error)
            told = {"code": failure.code(), "message": failure.message}
            yield f"event: error\ndata: {json.dumps(told)}\n\n".encode()

    def _follow(self, place: Place) -> Iterator[bytes]:
        clock = self._tools.clock
        started = told_at = looked_at = clock.now()
        longest = self._tools.settings.stream_seconds
        streamed = self._is_streamed()
        yield b"retry: 1000\n\n"
        while True:
            news = list(self._news(place, streamed=streamed))
            yield from news
            now = clock.now()
            lasted = (now - started).total_seconds()
            # What has come of a piece goes with this reader: a moment more, and it is whole.
            if place.rank == _ENDED or lasted >= longest + (WHOLE_PIECE_SECONDS * self._text.cut):
                return
            if news:
                told_at = now
            elif (now - told_at).total_seconds() > ALIVE_SECONDS:
                told_at = now
                yield b": still here\n\n"
            if not streamed and (now - looked_at).total_seconds() >= LOOK_SECONDS:
                refresh(self._tools, self._id)
                looked_at = now
            clock.sleep(PAUSE_SECONDS)

    def _news(self, place: Place, *, streamed: bool) -> Iterator[bytes]:
        with self._tools.db.step() as connection:
            row = status_row(connection, self._id, self._consumer_id)
        ended = row.status not in _RANKS
        taken = True
        if streamed and (not ended or self._just_ended(row)):
            taken = self._take_pieces()
        with self._tools.db.step() as connection:
            chunks = queries.chunks_after(connection, self._id, place.pieces) if streamed else []
            queue = None if ended else queue_of(connection, self._id, self._tools.clock.now())
            lines = lines_after(connection, self._id, place.lines)
        for line in lines:
            place.lines += 1
            yield _event("log", place, line)
        for chunk in chunks:
            place.pieces = chunk.n
            told = {"index": chunk.n, "attempt": chunk.attempt, "text": chunk.content}
            yield _event("output", place, told)
        if ended and place.rank < _ENDED and taken and len(chunks) < queries.MOST_CHUNKS:
            place.rank = _ENDED
            yield _event(
                "completed",
                place,
                status_shown(row, self._sign).model_dump(mode="json", by_alias=True),
            )
        elif not ended:
            yield from self._standing(place, row.status, queue)

    def _standing(self, place: Place, status: str, queue: Queue | None) -> Iterator[bytes]:
        """Where a run stands, as far as it was not told yet."""
        shown = queue.model_dump(mode="json", by_alias=True) if queue else {}
        percent = shown.pop("progressPercent", None)
        moved = shown.get("position") != (self._queue or {}).get("position")
        if _RANKS[status] > place.rank or (self._queue is not None and moved):
            place.rank = _RANKS[status]
            yield _event("status", place, {"status": status, **shown})
        if percent is not None and percent != self._percent:
            yield _event("progress", place, {"percent": percent})
        self._queue, self._percent = shown, percent

    def _leave(self) -> None:
        """Who comes next, mostly the same reader again, takes the text on at once."""
        if self._holds:
            with self._tools.db.step() as connection:
                queries.leave_stream(connection, self._id, self._reader, self._tools.clock.now())

    def _just_ended(self, row: AnyRow) -> bool:
        """The end may be known before the last pieces were taken."""
        return bool(self._tools.clock.now() - row.finished_at < LAST_PIECES)

    def _is_streamed(self) -> bool:
        with self._tools.db.step() as connection:
            return queries.is_streamed(connection, self._id)

    def _take_pieces(self) -> bool:
        """Moves what the worker has put out from RunPod to where every reader finds it.

        False while another reader does so: what that one has not kept yet is still to come.
        """
        with self._tools.db.step() as connection:
            attempt = queries.current_attempt(connection, self._id)
            if attempt is None or attempt.job_id is None:
                return True
            now = self._tools.clock.now()
            if not queries.lease_stream(connection, self._id, self._reader, now):
                return False
        self._holds = True
        self._fetch(attempt)
        return True

    def _fetch(self, attempt: AttemptContext) -> None:
        assert attempt.job_id is not None
        try:
            _, pieces = self._tools.runpod.stream(
                attempt.runpod_endpoint_id, attempt.job_id, wait_ms=STREAM_WAIT_MS
            )
        except GatewayError as error:
            log.warning("stream without an answer", trouble=type(error).__name__)
            return
        for piece in pieces:
            self._text.add(piece)
        if told := self._text.take():
            with self._tools.db.step() as connection:
                queries.add_chunks(
                    connection,
                    self._id,
                    attempt=attempt.n,
                    pieces=told,
                    now=self._tools.clock.now(),
                )


def _event(kind: str, place: Place, data: dict[str, Any]) -> bytes:
    told = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {place}\nevent: {kind}\ndata: {told}\n\n".encode()
