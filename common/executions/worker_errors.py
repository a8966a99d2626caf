"""What went wrong in a worker, in words for a consumer. Pure.

The worker's own text (tracebacks, host names, CUDA messages) is kept apart, for operators only:
it may mislead (runpod.md 7, P8) and tells what is none of a consumer's business.
"""

import re
from dataclasses import dataclass
from typing import Any

from common.gateways.runpod_report import error_text

MESSAGES = {
    "NO_OUTPUT": "The model finished without a result.",
    "INPUTS_REJECTED": "The model did not accept these inputs.",
    "OUT_OF_MEMORY": "The model ran out of memory. Smaller inputs may help.",
    "TIME_LIMIT": "The model took too long and was stopped.",
    "WORKER_LOST": "The model stopped answering.",
    "WORKER_ERROR": "The model could not finish this run.",
    "OUTPUT_UNREADABLE": "The model's result could not be read.",
    "OUTPUT_WRONG_TYPE": "The model's result is not of the promised kind.",
    "OUTPUT_TOO_LARGE": "The model's result is too large.",
    "OUTPUT_UNREACHABLE": "The model's result could not be fetched.",
}

# The first that fits decides; texts are those of runpod.md 5 and 7.
_PATTERNS = (
    ("TIME_LIMIT", re.compile(r"executiontimeout exceeded", re.I)),
    ("WORKER_LOST", re.compile(r"job timed out after \d+ retr", re.I)),
    ("OUT_OF_MEMORY", re.compile(r"out of memory|OutOfMemoryError", re.I)),
    (
        "INPUTS_REJECTED",
        re.compile(
            r"unexpected input|schema error|validation failed|is not a valid|is required"
            r"|should be .* type|must provide either|not both|HTTP 4(00|13|22)|context length",
            re.I,
        ),
    ),
)
_ERROR_TEXT = re.compile(
    r"\s*(Traceback \(most recent call last\)|(\w+\.)*\w*(Error|Exception)\b\s*[:(]"
    r"|(an? )?(unexpected )?error( occurred)?\b[:\s])",
    re.I,
)
_ERROR_WORDS = {"error", "failed", "failure"}


@dataclass(frozen=True)
class Failure:
    """Why a run has no result: a constant, a sentence for people, and the worker's own text."""

    code: str
    message: str
    raw: str | None = None


def failure(code: str, raw: str | None = None) -> Failure:
    """The failure of this code, with its sentence."""
    return Failure(code, MESSAGES[code], raw)


def failure_of(error: Any) -> Failure:
    """The failure that a worker's or RunPod's error text, list or object means."""
    raw = error_text(error) or ""
    code = next((code for code, pattern in _PATTERNS if pattern.search(raw)), "WORKER_ERROR")
    return failure(code, raw or None)


def error_inside(output: Any) -> Any:
    """The error that an output disguises (runpod.md 5, F9), or None.

    Known shapes: {"error": anything}, {"status": "error", ...}, either inside a list, and a text
    that reads like an exception.
    """
    if isinstance(output, dict):
        if output.get("error"):
            return output["error"]
        if str(output.get("status", "")).lower() in _ERROR_WORDS:
            return output.get("message") or output.get("details") or output["status"]
    if isinstance(output, list):
        return next((found for found in map(_error_in_entry, output) if found), None)
    return output if isinstance(output, str) and _ERROR_TEXT.match(output) else None


def _error_in_entry(entry: Any) -> Any:
    """A text inside a list may be a piece of an answer: only objects are looked at."""
    return error_inside(entry) if isinstance(entry, dict) else None
