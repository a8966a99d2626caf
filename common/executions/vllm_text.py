"""The text of a vLLM answer, in both generations of the worker (runpod.md 5.3). Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from common.executions.worker_errors import error_inside


@dataclass
class Answer:
    """What the chunks of one answer add up to."""

    text: str = ""
    usage: dict[str, Any] | None = None
    finish_reason: str | None = None
    error: Any = None
    chunks: int = field(default=0, repr=False)


def read_answer(output: Any) -> Answer:
    """Joins the chunks of an output: one object, a list of them, or raw SSE text cut anywhere.

    Only the first choice is read: our schema asks for one.
    """
    answer = Answer()
    for chunk in _chunks(output):
        answer.error = answer.error or error_inside(chunk)
        _add(answer, chunk)
    return answer


def _chunks(output: Any) -> Iterator[dict[str, Any]]:
    entries = output if isinstance(output, list) else [output]
    yield from (entry for entry in entries if isinstance(entry, dict))
    written = "".join(entry for entry in entries if isinstance(entry, str))
    if written:
        yield from _written_chunks(written)


def _written_chunks(written: str) -> Iterator[dict[str, Any]]:
    """Server-sent events, or a single JSON object."""
    lines = [line[5:].strip() for line in written.splitlines() if line.startswith("data:")]
    for line in lines or [written]:
        try:
            chunk = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(chunk, dict):
            yield chunk


def _add(answer: Answer, chunk: dict[str, Any]) -> None:
    answer.chunks += 1
    if isinstance(chunk.get("usage"), dict):
        answer.usage = _plain_usage(chunk["usage"])
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, dict):
        answer.text += _choice_text(choice)
        if isinstance(choice.get("finish_reason"), str):
            answer.finish_reason = choice["finish_reason"]


def _choice_text(choice: dict[str, Any]) -> str:
    tokens = choice.get("tokens")
    if isinstance(tokens, list):
        return "".join(token for token in tokens if isinstance(token, str))
    for holder in (choice.get("message"), choice.get("delta")):
        if isinstance(holder, dict) and isinstance(holder.get("content"), str):
            return str(holder["content"])
    return choice["text"] if isinstance(choice.get("text"), str) else ""


def _plain_usage(usage: dict[str, Any]) -> dict[str, Any]:
    """Token counts under OpenAI's names; the old worker says input and output."""
    names = {"input": "prompt_tokens", "output": "completion_tokens"}
    counts = {names.get(name, name): value for name, value in usage.items()}
    return {name: value for name, value in counts.items() if isinstance(value, int)}
