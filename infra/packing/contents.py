"""Which files a function's archive holds: an allow-list that its own imports make, and what it
serves as it is (functions/<name>/reference).

Beginning at the function's folder, every import of `common` is followed, also one that stands
inside a function's body. So a change to a slice deploys again only those functions that can reach
it, and no function carries another's code. Imports by a computed name would be missed; there are
none, and a test imports every module of every unpacked archive.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("common", "functions")
REQUIREMENTS = "requirements.txt"
ENTRY = '''\
"""Where Cloud Functions begins: the function {name}. Written by infra/pack."""

import gc

gc.disable()  # loading makes much and drops nothing: searching it costs a quarter of a cold start
from functions.{name}.main import {name} as main  # noqa: E402

gc.enable()
gc.freeze()  # what was loaded stays, and the server's workers go on sharing it

__all__ = ["main"]
'''


def function_names(root: Path = ROOT) -> list[str]:
    """Every folder of functions/ that has a main.py."""
    return sorted(file.parent.name for file in root.glob("functions/*/main.py"))


def contents(name: str, root: Path = ROOT) -> dict[str, bytes]:
    """The archive's files by their path in it, in order."""
    files = {
        str(file.relative_to(root)): file.read_bytes()
        for file in reachable(root, root.glob(f"functions/{name}/*.py"))
    }
    for file in root.glob(f"functions/{name}/reference/*"):
        files[str(file.relative_to(root))] = file.read_bytes()
    files["main.py"] = ENTRY.format(name=name).encode()
    files[REQUIREMENTS] = (root / REQUIREMENTS).read_bytes()
    return dict(sorted(files.items()))


def reachable(root: Path, first: Iterator[Path]) -> set[Path]:
    """The given files, all of ours that they import, and the packages that those lie in."""
    found: set[Path] = set()
    waiting = list(first)
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        waiting += [*_packages(root, file), *_imported(root, file)]
    return found


def _packages(root: Path, file: Path) -> Iterator[Path]:
    """The __init__.py of each folder from here up to the root."""
    for folder in file.relative_to(root).parents:
        init = root / folder / "__init__.py"
        if folder.parts and init.exists():
            yield init


def _imported(root: Path, file: Path) -> Iterator[Path]:
    for module in _named(file.read_text(encoding="utf-8")):
        place = root.joinpath(*module.split("."))
        for candidate in (place.with_suffix(".py"), place / "__init__.py"):
            if candidate.exists():
                yield candidate


@cache
def _named(source: str) -> tuple[str, ...]:
    """Kept, since seven functions share most of their files."""
    return tuple(_modules(ast.parse(source)))


def _modules(node: ast.AST) -> Iterator[str]:
    """Names of ours that may be modules; what only a type checker reads does not count."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from (it for branch in child.orelse for it in _modules(branch))
            continue
        if isinstance(child, ast.Import):
            yield from (each.name for each in child.names if _is_ours(each.name))
        elif isinstance(child, ast.ImportFrom) and child.module and _is_ours(child.module):
            yield child.module
            yield from (f"{child.module}.{each.name}" for each in child.names)
        yield from _modules(child)


def _is_ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in OURS
