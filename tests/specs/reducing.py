"""`python -m tests.specs.reducing FOLDER`: makes the kept specifications anew from published ones.

FOLDER holds RunPod's OpenAPI document (runpod-management-v2.openapi.json) and Stripe's fixtures
(stripe-fixtures3.json). Kept are facts alone: names, types, limits; no prose and no examples.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.specs import FOLDER, RUNPOD, STRIPE

JSON = dict[str, Any]
OURS = ("/v2/serverless", "/v2/billing", "/v2/templates", "/v2/catalog/gpus")
_PROSE = {"description", "summary", "title", "example", "examples", "externalDocs", "tags"}
# Below these every key is a name that somebody chose, and none is a keyword.
_NAMES = {
    "properties",
    "schemas",
    "responses",
    "headers",
    "parameters",
    "patternProperties",
    "paths",
}
KINDS = (
    *("account", "account_link", "balance", "balance_transaction", "bank_account", "charge"),
    *("checkout.session", "dispute", "event", "item", "payment_intent", "payout", "refund"),
    *("transfer", "transfer_reversal"),
)


def runpod(published: JSON) -> JSON:
    """The operations that we use, and what their schemas refer to."""
    paths = {path: it for path, it in published["paths"].items() if path.startswith(OURS)}
    kept: JSON = {"paths": _bare(paths, names=True), "components": {}}
    waiting, seen = _references(kept), set[str]()
    while waiting:
        reference = waiting.pop()
        if reference in seen:
            continue
        seen.add(reference)
        _, _, kind, name = reference.split("/")
        part = _bare(published["components"][kind][name])
        kept["components"].setdefault(kind, {})[name] = part
        waiting |= _references(part)
    return kept


def stripe(published: JSON) -> JSON:
    """Of each kind an example without values."""
    return {kind: _empty(published["resources"][kind]) for kind in KINDS}


def _bare(node: Any, *, names: bool = False) -> Any:
    if isinstance(node, dict):
        return {
            key: _bare(value, names=not names and key in _NAMES)
            for key, value in node.items()
            if names or (key not in _PROSE and not key.startswith("x-"))
        }
    return [_bare(each) for each in node] if isinstance(node, list) else node


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in node.values()))
    return set().union(*(_references(each) for each in node)) if isinstance(node, list) else set()


def _empty(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _empty(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_empty(each) for each in node[:1]]
    return None if node is None else type(node)()


def main(folder: Path) -> None:
    """The command."""
    for source, name, reduce in (
        ("runpod-management-v2.openapi.json", RUNPOD, runpod),
        ("stripe-fixtures3.json", STRIPE, stripe),
    ):
        reduced = reduce(json.loads((folder / source).read_text(encoding="utf-8")))
        text = json.dumps(reduced, separators=(",", ":"), sort_keys=True)
        (FOLDER / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
