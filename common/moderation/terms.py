"""Finding refused words in inputs, however they are written. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple


class Findings(NamedTuple):
    """Which fields hold which refused words."""

    fields: list[str]
    terms: list[str]


def folded(text: str) -> str:
    """Without what only changes the look: width, case, accents, and runs of spaces."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(letters.split())


def find(inputs: dict[str, Any], terms: tuple[str, ...]) -> Findings | None:
    """The refused words in the inputs' texts; None where there are none.

    terms: folded already. A term counts only as a whole word or phrase.
    """
    if not terms:
        return None
    pattern, fields, found = _pattern(terms), set[str](), set[str]()
    for name, value in inputs.items():
        for text in _texts(value):
            for match in pattern.finditer(folded(text)):
                fields.add(name)
                found.add(match.group())
    return Findings(sorted(fields), sorted(found)) if found else None


@lru_cache(maxsize=4)
def _pattern(terms: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
