"""The shapes of generated text: vLLM's old token lists, OpenAI objects, OpenAI event streams."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """What an OpenAI answer says beside its text."""

    id: str
    created: int
    model: str
    chat: bool
    finish: str
    prompt_tokens: int
    tokens: int


def old(*texts: str, prompt_tokens: int, tokens: int) -> JSON:
    """A batch as worker-vllm wrote it up to 2.23."""
    return {
        "choices": [{"tokens": list(texts)}],
        "usage": {"input": prompt_tokens, "output": tokens},
    }


def whole(about: About, text: str) -> JSON:
    """A chat completion or a completion."""
    said: JSON = (
        {"message": {"role": "assistant", "content": text}} if about.chat else {"text": text}
    )
    return _object(about, "chat.completion" if about.chat else "text_completion") | {
        "choices": [{"index": 0, **said, "finish_reason": about.finish}],
        "usage": {
            "prompt_tokens": about.prompt_tokens,
            "completion_tokens": about.tokens,
            "total_tokens": about.prompt_tokens + about.tokens,
        },
    }


def events(about: About, tokens: Sequence[str]) -> Iterator[str]:
    """Raw server-sent events, one per token, then the finish and [DONE]."""
    for token in tokens:
        yield _event(about, token, None)
    yield _event(about, "", about.finish)
    yield "data: [DONE]\n\n"


def _event(about: About, token: str, finish: str | None) -> str:
    said: JSON = {"delta": {"content": token} if token else {}} if about.chat else {"text": token}
    chunk = _object(about, "chat.completion.chunk" if about.chat else "text_completion") | {
        "choices": [{"index": 0, **said, "finish_reason": finish}]
    }
    return f"data: {json.dumps(chunk)}\n\n"


def _object(about: About, kind: str) -> JSON:
    return {"id": about.id, "object": kind, "created": about.created, "model": about.model}
