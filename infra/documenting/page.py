"""The reference page: plain HTML of the document, without a script or anything from outside."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
nav ul { columns: 2; list-style: none; padding: 0; font-size: .85rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h3 code { font-size: 1rem; } .method { font-weight: 700; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; font-size: .82rem; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .2rem .6rem .2rem 0; text-align: left;
  vertical-align: top; }
@media (max-width: 40rem) { nav ul { columns: 1; } }
"""
Operation = tuple[str, str, dict[str, Any]]


def page(document: dict[str, Any]) -> str:
    """The whole page; every operation can be linked to by its operation id."""
    groups = [(tag, list(_operations(document, tag["name"]))) for tag in document["tags"]]
    contents = "".join(_contents(tag["description"], found) for tag, found in groups)
    sections = "".join(
        f"<h2>{_text(tag['description'])}</h2>{''.join(map(_section, found))}"
        for tag, found in groups
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Tarsify API</title><style>{STYLE}</style></head><body>"
        "<h1>Tarsify API</h1><p>Every path is below one origin. Sign in with an ID token or, where "
        "a scope is named, with an API key. The same as one OpenAPI 3.1 document: "
        '<a href="reference/openapi.json">openapi.json</a>.</p>'
        f"<nav>{contents}</nav><main>{sections}</main></body></html>\n"
    )


def _operations(document: dict[str, Any], tag: str) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if tag in operation["tags"]:
                yield method.upper(), path, operation


def _contents(title: str, operations: list[Operation]) -> str:
    lines = "".join(
        f'<li><a href="#{operation["operationId"]}">{method} {_text(path)}</a></li>'
        for method, path, operation in operations
    )
    return f"<details><summary>{_text(title)}</summary><ul>{lines}</ul></details>"


def _section(found: Operation) -> str:
    method, path, operation = found
    parts = [
        f'<section id="{operation["operationId"]}"><h3><code><span class="method">{method}</span> '
        f"{_text(path)}</code></h3><p>{_text(operation['summary'])}. {_sign_in(operation)}</p>",
        f"<pre>{_text(operation['x-codeSamples'][0]['source'])}</pre>",
        _parameters(operation),
        _body(operation),
        _answers(operation),
    ]
    return "".join(parts) + "</section>"


def _sign_in(operation: dict[str, Any]) -> str:
    allowed = operation.get("security")
    if not allowed:
        return "Open to everyone."
    scopes = [scope for each in allowed for scope in each.get("apiKey", [])]
    by_key = f", or an API key with <code>{_text(scopes[0])}</code>" if scopes else ""
    return f"Needs an ID token{by_key}."


def _parameters(operation: dict[str, Any]) -> str:
    rows = [
        (each["name"], each["in"], each.get("description", _kind(each["schema"])))
        for each in operation["parameters"]
        if each["in"] != "path"
    ]
    return _table(("parameter", "in", "meaning"), rows)


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if not content or "example" not in content:
        return ""
    name = content["schema"]["$ref"].rpartition("/")[2]
    shown = json.dumps(content["example"], indent=2, ensure_ascii=False)
    return f"<p>Body (<code>{_text(name)}</code>):</p><pre>{_text(shown)}</pre>"


def _answers(operation: dict[str, Any]) -> str:
    rows = [(status, answer["description"]) for status, answer in operation["responses"].items()]
    return _table(("status", "what it says"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    titles = "".join(f"<th>{_text(each)}</th>" for each in head)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def _kind(schema: dict[str, Any]) -> str:
    return str(
        schema.get("type") or " or ".join(str(e.get("type")) for e in schema.get("anyOf", []))
    )


def _text(value: object) -> str:
    return html.escape(str(value))
