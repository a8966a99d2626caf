"""Text generation in the shape of worker-vllm, both output generations (runpod.md 5.3).

VLLM_GENERATION is `old` (up to 2.23, the engine in the worker) or `new` (from 2.24, a proxy).
"""

import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import runpod

from infra.local.workers import completions
from infra.local.workers.markov import generate, tokenize

JSON = dict[str, Any]

OLD_MAX_TOKENS = 100
COMPLETION_MAX_TOKENS = 16
CHAT_MAX_TOKENS = 256
CONTEXT_LENGTH = 4096
MODEL = os.environ.get("OPENAI_SERVED_MODEL_NAME_OVERRIDE") or os.environ.get(
    "MODEL_NAME", "workshop/markov-2"
)


class Refused(ValueError):
    """The engine would refuse these parameters."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A checked request: what to continue, how, and in which form to answer."""

    prompt: str
    chat: bool
    stream: bool
    max_tokens: int
    temperature: float
    seed: int
    stop: tuple[str, ...]


async def handler(job: JSON) -> AsyncIterator[Any]:
    """Generate, as one answer or in pieces; an error is yielded as the worker does."""
    old = os.environ.get("VLLM_GENERATION", "new") == "old"
    try:
        for part in _answer(job["input"], old=old):
            yield part
    except Refused as problem:
        kind = "BadRequestError" if old else "worker_error"
        text = str(problem) if old else f"vLLM returned HTTP 400: {problem}"
        yield {"error": {"message": text, "type": kind, "code": 400 if old else None}}


def _answer(given: JSON, *, old: bool) -> Iterator[Any]:
    route = given.get("openai_route") or (None if old else given.get("route"))
    if route is None:
        wish = _read(given, given.get("sampling_params") or {}, old=old)
        yield from _old_native(wish, given) if old else _openai(wish)
    elif route.endswith("/models"):
        yield {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "local"}]}
    else:
        body = given.get("openai_input") or given.get("body") or {}
        yield from _openai(_read(body, body, old=old))


def _read(given: JSON, sampling: JSON, *, old: bool) -> Wish:
    messages = given.get("messages")
    chat = messages is not None
    prompt = _chat_prompt(messages) if chat else given.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Refused("either prompt or messages must be given")
    default = OLD_MAX_TOKENS if old else CHAT_MAX_TOKENS if chat else COMPLETION_MAX_TOKENS
    max_tokens = sampling.get("max_tokens", default)
    if type(max_tokens) is not int or max_tokens < 1:
        raise Refused(f"max_tokens must be at least 1, got {max_tokens}.")
    if len(tokenize(prompt)) + max_tokens > CONTEXT_LENGTH:
        raise Refused(f"maximum context length is {CONTEXT_LENGTH} tokens.")
    temperature = sampling.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or temperature < 0:
        raise Refused(f"temperature must be non-negative, got {temperature}.")
    stop = sampling.get("stop") or ()
    return Wish(
        prompt=prompt,
        chat=chat,
        stream=bool(given.get("stream", False)),
        max_tokens=max_tokens,
        temperature=float(temperature),
        seed=int(sampling.get("seed") or 0),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
    )


def _chat_prompt(messages: Any) -> str:
    if not isinstance(messages, list) or not messages:
        raise Refused("messages must be a non-empty list")
    lines = []
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise Refused("each message needs a role and a content")
        lines.append(f"{message.get('role', 'user')}: {message['content']}")
    return "\n".join(lines)


def _tokens(wish: Wish) -> list[str]:
    tokens: list[str] = []
    text = ""
    for token in generate(
        wish.prompt, max_tokens=wish.max_tokens, temperature=wish.temperature, seed=wish.seed
    ):
        text += token
        if any(mark in text for mark in wish.stop):
            break
        tokens.append(token)
    return tokens


def _old_native(wish: Wish, given: JSON) -> Iterator[JSON]:
    """Token batches; they grow from min_batch_size by a factor up to max_batch_size."""
    tokens = _tokens(wish)
    used = len(tokenize(wish.prompt))
    if not wish.stream:
        yield completions.old("".join(tokens), prompt_tokens=used, tokens=len(tokens))
        return
    size = float(given.get("min_batch_size") or 1)
    largest, growth = given.get("max_batch_size") or 50, given.get("batch_size_growth_factor") or 3
    at = 0
    while at < len(tokens):
        batch = tokens[at : at + int(size)]
        at += len(batch)
        yield completions.old(*batch, prompt_tokens=used, tokens=at)
        size = min(float(largest), size * growth)


def _openai(wish: Wish) -> Iterator[Any]:
    """One OpenAI object, or server-sent events as raw text."""
    tokens = _tokens(wish)
    about = completions.About(
        id=f"{'chatcmpl' if wish.chat else 'cmpl'}-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=MODEL,
        chat=wish.chat,
        finish="length" if len(tokens) >= wish.max_tokens else "stop",
        prompt_tokens=len(tokenize(wish.prompt)),
        tokens=len(tokens),
    )
    if wish.stream:
        yield from completions.events(about, tokens)
    else:
        yield completions.whole(about, "".join(tokens))


def concurrency(_: int) -> int:
    """How many jobs this worker takes at once."""
    return int(os.environ.get("MAX_CONCURRENCY", "30"))


if __name__ == "__main__":
    runpod.serverless.start(
        {
            "handler": handler,
            "concurrency_modifier": concurrency,
            "return_aggregate_stream": True,
        }
    )
