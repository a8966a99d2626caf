"""Who may import whom (design: slices import only to their left), read from the source itself.

A failure names the file, the line and the rule. The rules:

    functions/*  ->  common.http, common.auth, common.runtime, common.logs, common.errors,
                     common.gateways.identity (the type of a caller), common.<slice>'s surface
    service      ->  own files, slices to the left, gateways
    queries      ->  own tables and those to the left, SQLAlchemy
    gateways     ->  vendor libraries, settings, errors, boundary; never tables, never a session
    http         ->  settings, errors, logs, clock, db (for health); never a slice, never runtime
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from migrations.functions import SLICES

ROOT = Path(__file__).parent.parent
# What both audiences have alike, keys and webhooks, has its guards and routes in its slice.
SURFACE = {"service", "schemas", "messages", "guards", "routes"}
FOUNDATIONS = {"errors", "settings", "boundary", "clock", "logs", "tracing"}
# Importing these costs more than a function's whole start: only inside the code that needs them.
HEAVY = (
    "google",
    "firebase_admin",
    "grpc",
    "requests",
    "tenacity",
    "cachecontrol",
    "alembic",
    "stripe",
)


class Import(NamedTuple):
    """One imported module, where, and whether it happens when the file is loaded."""

    file: Path
    line: int
    module: str
    at_load: bool

    @property
    def place(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(file: Path) -> Iterator[Import]:
    """Every import of a file; those under TYPE_CHECKING do not count, they never run."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    yield from _imports(file, tree, at_load=True)


def _imports(file: Path, node: ast.AST, *, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        inside = at_load and not isinstance(child, ast.FunctionDef | ast.Lambda)
        if isinstance(child, ast.Import):
            yield from (Import(file, child.lineno, a.name, at_load) for a in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield from (
                Import(file, child.lineno, f"{child.module}.{a.name}", at_load) for a in child.names
            )
        yield from _imports(file, child, at_load=inside)


def broken(found: Iterator[Import]) -> str:
    return "\n".join(each.place for each in found)


def slice_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "common" and len(parts) > 1 and parts[1] in SLICES else None


@pytest.mark.parametrize("name", SLICES)
def test_a_slice_imports_only_slices_to_its_left(name: str) -> None:
    allowed = set(SLICES[: SLICES.index(name) + 1])
    wrong = (
        each
        for file in files(f"common/{name}")
        for each in imports(file)
        if slice_of(each.module) not in allowed | {None}
    )
    assert not (report := broken(wrong)), report


def test_functions_call_only_a_slices_surface() -> None:
    wrong = (
        each
        for file in files("functions")
        for each in imports(file)
        if slice_of(each.module) and each.module.split(".")[2] not in SURFACE
    )
    assert not (report := broken(wrong)), report


def test_functions_reach_no_vendor_and_no_table() -> None:
    wrong = (
        each
        for file in files("functions")
        for each in imports(file)
        if each.module.startswith(("sqlalchemy", *HEAVY, "common.gateways."))
        and each.module not in {"common.gateways.identity.Identity", "sqlalchemy.orm.Session"}
    )
    assert not (report := broken(wrong)), report


def test_a_function_never_imports_another_function() -> None:
    wrong = (
        each
        for file in files("functions")
        for each in imports(file)
        if each.module.startswith("functions.")
        and each.module.split(".")[1] != file.relative_to(ROOT).parts[1]
    )
    assert not (report := broken(wrong)), report


def test_sql_stands_in_queries_and_tables_only() -> None:
    words = {"select", "insert", "update", "delete", "text", "func"}
    wrong = (
        each
        for file in files("common", "functions")
        if not file.stem.endswith("queries") and file.stem not in {"tables", "db"}
        for each in imports(file)
        if each.module.startswith("sqlalchemy.") and each.module.rsplit(".", 1)[1] in words
    )
    assert not (report := broken(wrong)), report


def test_queries_know_tables_and_nothing_above() -> None:
    wrong = (
        each
        for file in files("common")
        if file.stem.endswith("queries")
        for each in imports(file)
        if slice_of(each.module)
        and each.module.split(".")[2] not in {"tables", "queries"}
        and not each.module.split(".")[2].endswith("queries")
    )
    assert not (report := broken(wrong)), report


def test_gateways_know_no_table_no_session_and_no_slice() -> None:
    allowed = FOUNDATIONS | {"gateways"}
    wrong = (
        each
        for file in files("common/gateways")
        for each in imports(file)
        if each.module.startswith("sqlalchemy")
        or (each.module.startswith("common.") and each.module.split(".")[1] not in allowed)
    )
    assert not (report := broken(wrong)), report


def test_http_knows_no_slice_and_no_runtime() -> None:
    wrong = (
        each
        for file in files("common/http")
        for each in imports(file)
        if slice_of(each.module) or each.module.startswith(("common.runtime", "common.gateways"))
    )
    assert not (report := broken(wrong)), report


def test_only_functions_use_the_runtime() -> None:
    wrong = (
        each
        for file in files("common")
        if file.name != "runtime.py"
        for each in imports(file)
        if each.module.startswith("common.runtime")
    )
    assert not (report := broken(wrong)), report


def test_nothing_heavy_is_imported_when_a_function_loads() -> None:
    wrong = (
        each
        for file in files("common", "functions")
        for each in imports(file)
        if each.at_load and each.module.split(".")[0] in HEAVY
    )
    assert not (report := broken(wrong)), report


def test_common_and_functions_never_import_infra_or_tests() -> None:
    wrong = (
        each
        for file in files("common", "functions", "migrations")
        for each in imports(file)
        if each.module.split(".")[0] in {"infra", "tests"}
    )
    assert not (report := broken(wrong)), report


def test_a_function_with_a_session_does_not_take_a_gateway() -> None:
    """Whoever has a session stays off the network; whoever talks takes no session."""
    gateways = {"RunPod", "Tasks", "Storage", "Outbound", "Tools", "Identities"}
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name} takes a session and {taken}"
        for file in files("common")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for names in [{ast.unparse(a.annotation) for a in node.args.args if a.annotation}]
        if names & {"Session", "Connection"} and (taken := names & gateways)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_slice_has_the_same_few_file_names() -> None:
    """A file name outside the usual ones must be a verb's, never a bag of helpers."""
    banned = {"utils", "helpers", "manager", "misc", "common", "base"}
    wrong = [str(f.relative_to(ROOT)) for f in files("common", "functions") if f.stem in banned]
    assert not wrong
