"""Every line that the code logs: its message, and the fields that it says."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache

from infra.packing.contents import ROOT

LEVELS = {"info", "warning", "error", "critical"}
# What every line of a request says beside its own (common/http/app.py).
OF_A_REQUEST = {"message", "function", "route", "requestId", "executionId"}


@cache
def logged() -> Mapping[str, set[str]]:
    """The fields of each message."""
    found: dict[str, set[str]] = {}
    for folder in ("common", "functions"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for message, fields in _calls(tree):
                found.setdefault(message, set(OF_A_REQUEST)).update(fields)
            found.setdefault("request", set(OF_A_REQUEST)).update(_added(tree))
    return found


def _added(tree: ast.Module) -> Iterator[str]:
    """`logs.add_to_log(field=...)` says it on every later line of the request."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "logs.add_to_log":
            yield from (each.arg for each in node.keywords if each.arg)


def _calls(tree: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """`log.info("message", field=...)`; `say(...)` is one of two levels."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args or not _is_log(node.func):
            continue
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value, {each.arg for each in node.keywords if each.arg}


def _is_log(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        owner = function.value
        return function.attr in LEVELS and isinstance(owner, ast.Name) and owner.id == "log"
    return isinstance(function, ast.Name) and function.id == "say"
