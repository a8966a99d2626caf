"""A small language model: word after word, by how often the corpus went on that way."""

import hashlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus.txt")
TOKEN = re.compile(r"\w+|[^\w\s]")
MARKS = frozenset(".,;:!?")

Followers = dict[tuple[str, ...], Counter[str]]


def tokenize(text: str) -> list[str]:
    """Words and marks of a text; their number is what usage counts."""
    return TOKEN.findall(text)


@cache
def followers() -> Followers:
    """What followed each pair of tokens, and each token, in the corpus, and how often."""
    table: Followers = defaultdict(Counter)
    tokens = tokenize(CORPUS.read_text(encoding="utf-8"))
    for first, second, third in zip(tokens, tokens[1:], tokens[2:], strict=False):
        table[first, second][third] += 1
        table[second,][third] += 1
        table[()][third] += 1
    return table


def generate(prompt: str, *, max_tokens: int, temperature: float, seed: int) -> Iterator[str]:
    """Tokens that continue `prompt`, with the spaces before them; ends at a sentence or the limit.

    The same arguments make the same text. Temperature 0 takes the likeliest way at each step.
    """
    digest = hashlib.sha256(f"{seed}\0{prompt}".encode()).digest()
    rng = random.Random(digest)
    context = _opening(prompt, rng)
    for number in range(max_tokens):
        token = _next(context, rng, temperature)
        yield token if number == 0 or token in MARKS else f" {token}"
        if token in ".!?" and number >= max_tokens // 2:
            return
        context = (*context, token)[-2:]


def _opening(prompt: str, rng: random.Random) -> tuple[str, ...]:
    """Where to begin: after the prompt's last word that the corpus knows, or at a sentence."""
    known = [token for token in tokenize(prompt)[-12:] if (token,) in followers()]
    words = [token for token in known if token not in MARKS]
    if words and rng.random() < 0.7:
        return (words[-1],)
    return (".",)


def _next(context: tuple[str, ...], rng: random.Random, temperature: float) -> str:
    table = followers()
    choices = table.get(context) or table.get(context[-1:]) or table[()]
    if temperature <= 0:
        return max(choices, key=lambda token: (choices[token], token))
    weights = [count ** (1 / temperature) for count in choices.values()]
    return rng.choices(list(choices), weights)[0]
