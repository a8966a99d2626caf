"""The raw protobuf classes beneath google.cloud.tasks_v2 (proto-plus costs ten times as much)."""

from __future__ import annotations

from typing import Any

from google.cloud import tasks_v2

Message = Any
"""A raw protobuf message; the generated classes carry no types."""

Task: Any = tasks_v2.Task.pb()
Queue: Any = tasks_v2.Queue.pb()

BASIC: int = int(tasks_v2.Task.View.BASIC)
FULL: int = int(tasks_v2.Task.View.FULL)
RUNNING: int = int(tasks_v2.Queue.State.RUNNING)
PAUSED: int = int(tasks_v2.Queue.State.PAUSED)


def method_name(number: int) -> str:
    """The HTTP verb of a task; unspecified means POST."""
    return tasks_v2.HttpMethod(number).name if number else "POST"


def seconds(stamp: Message) -> float:
    """A Timestamp or Duration message in seconds."""
    return float(stamp.seconds) + float(stamp.nanos) / 1e9


def put_seconds(stamp: Message, value: float) -> None:
    """Write seconds into a Timestamp or Duration message."""
    stamp.seconds = int(value)
    stamp.nanos = int((value - int(value)) * 1e6) * 1000
