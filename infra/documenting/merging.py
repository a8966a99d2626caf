"""The documents of several functions as one: every path as the front door serves it."""

from __future__ import annotations

import json
from typing import Any

from common.http import App
from common.http.openapi import ORIGIN, document


def merged(apps: list[App]) -> dict[str, Any]:
    """One document; operation ids and schemas that differ get their function's name."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for app in apps:
        own = _renamed(document(app), app.name, schemas)
        schemas |= own["components"]["schemas"]
        for path, item in own["paths"].items():
            for operation in item.values():
                operation["operationId"] = f"{app.name}_{operation['operationId']}"
                operation["tags"] = [app.name]
                _rename_links(operation, app.name)
            paths[f"{app.prefixes[0]}{path}"] = item
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tarsify", "version": "1"},
        "servers": [{"url": ORIGIN}],
        "tags": [{"name": app.name, "description": app.title} for app in apps],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": document(apps[0])["components"]["securitySchemes"],
        },
    }


def _renamed(own: dict[str, Any], function: str, taken: dict[str, Any]) -> dict[str, Any]:
    """The document with other names for schemas that another function has under the same name."""
    text = json.dumps(own)
    for name, schema in own["components"]["schemas"].items():
        if name in taken and taken[name] != schema:
            mine = f"{function.title()}{name}"
            text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{mine}"')
            text = text.replace(
                f'"{name}": {json.dumps(schema)}', f'"{mine}": {json.dumps(schema)}'
            )
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def _rename_links(operation: dict[str, Any], function: str) -> None:
    for answer in operation["responses"].values():
        links = answer.get("links", {})
        if links:
            answer["links"] = {
                f"{function}_{name}": link | {"operationId": f"{function}_{link['operationId']}"}
                for name, link in links.items()
            }
