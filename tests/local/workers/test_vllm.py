"""worker-vllm's two output generations (runpod.md 5.3), with text that is really generated."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.workers import markov
from tests.local.workers.conftest import Ask

MESSAGES = [{"role": "user", "content": "Tell me of the bridge"}]
BOTH = pytest.mark.parametrize("endpoint", ["vllm-old", "vllm-new"])


def events(chunks: list[str]) -> list[Any]:
    lines = "".join(chunks).strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def test_the_old_generation_answers_with_tokens(ask: Ask) -> None:
    job = ask("vllm-old", prompt="The river", sampling_params={"max_tokens": 12})
    (answer,) = job["output"]
    (text,) = answer["choices"][0]["tokens"]
    assert 1 <= len(markov.tokenize(text)) == answer["usage"]["output"] <= 12
    assert answer["usage"]["input"] == 2


def test_the_old_generation_streams_growing_batches(ask: Ask) -> None:
    job = ask(
        "vllm-old",
        messages=MESSAGES,
        stream=True,
        min_batch_size=1,
        batch_size_growth_factor=2,
        max_batch_size=4,
        sampling_params={"max_tokens": 40},
    )
    sizes = [len(batch["choices"][0]["tokens"]) for batch in job["output"]]
    assert sizes[:3] == [1, 2, 4]
    assert max(sizes) == 4


def test_the_new_generation_answers_as_openai_does(ask: Ask) -> None:
    (chat,) = ask("vllm-new", messages=MESSAGES, sampling_params={"max_tokens": 30})["output"]
    assert chat["object"] == "chat.completion"
    message = chat["choices"][0]["message"]
    assert message["role"] == "assistant"
    usage = chat["usage"]
    assert usage["completion_tokens"] == len(markov.tokenize(message["content"])) <= 30
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    (plain,) = ask("vllm-new", prompt="The river")["output"]
    assert plain["object"] == "text_completion"
    assert plain["usage"]["completion_tokens"] <= 16


def test_the_new_generation_streams_raw_events(ask: Ask) -> None:
    asked = {"messages": MESSAGES, "sampling_params": {"max_tokens": 20, "seed": 4}}
    streamed = events(ask("vllm-new", stream=True, **asked)["output"])
    (whole,) = ask("vllm-new", **asked)["output"]
    text = "".join(event["choices"][0]["delta"].get("content", "") for event in streamed)
    assert text == whole["choices"][0]["message"]["content"]
    assert streamed[-1]["choices"][0]["finish_reason"] in ("stop", "length")


@BOTH
def test_the_openai_route_is_the_same_in_both(ask: Ask, endpoint: str) -> None:
    body = {"model": "any", "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
    (chat,) = ask(endpoint, openai_route="/v1/chat/completions", openai_input=body)["output"]
    assert chat["choices"][0]["message"]["content"]
    (models,) = ask(endpoint, openai_route="/v1/models", openai_input={})["output"]
    assert models["data"][0]["id"] == chat["model"]


@BOTH
def test_the_text_is_made_of_the_corpus_and_depends_on_the_seed(ask: Ask, endpoint: str) -> None:
    def text(seed: int) -> str:
        body = {"prompt": "The bridge", "max_tokens": 60, "seed": seed}
        (answer,) = ask(endpoint, openai_route="/v1/completions", openai_input=body)["output"]
        return str(answer["choices"][0]["text"])

    words = set(markov.tokenize(Path(markov.CORPUS).read_text(encoding="utf-8")))
    first = text(1)
    assert set(markov.tokenize(first)) <= words
    assert text(1) == first
    assert len({text(seed) for seed in range(2, 6)}) > 1


def test_a_stop_word_ends_the_text(ask: Ask) -> None:
    asked = {"prompt": "The bridge", "sampling_params": {"max_tokens": 60, "stop": "."}}
    (answer,) = ask("vllm-new", **asked)["output"]
    assert "." not in answer["choices"][0]["text"]
    assert answer["choices"][0]["finish_reason"] == "stop"


@BOTH
@pytest.mark.parametrize(
    "given",
    [
        {"sampling_params": {}},
        {"messages": []},
        {"prompt": "x", "sampling_params": {"max_tokens": 0}},
        {"prompt": "x", "sampling_params": {"temperature": -1}},
        {"prompt": "x", "sampling_params": {"max_tokens": 5000}},
    ],
)
def test_a_refused_request_fails_with_the_repr_of_a_dict(
    ask: Ask, endpoint: str, given: dict[str, object]
) -> None:
    job = ask(endpoint, **given)
    assert job["status"] == "FAILED"
    error = ast.literal_eval(job["error"])
    assert error.keys() == {"message", "type", "code"}
