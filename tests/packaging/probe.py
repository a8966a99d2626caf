"""Run by an archive's own Python in its folder: loads every module, finds whatever each imports.

Imports inside a function's body are found too: a package that is missing there would be noticed
by a customer and not by the deploy.
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, "")


def imported(node: ast.AST) -> Iterator[str]:
    """Every module name that an import statement gives, but those for a type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (each.name for each in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
        yield from imported(child)


def main() -> None:
    """Ends with the names of the modules that are missing."""
    files = sorted(Path().rglob("*.py"))
    wanted = {name for file in files for name in imported(ast.parse(file.read_text("utf-8")))}
    missing = [name for name in sorted(wanted) if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"missing: {missing}")
    for file in files:
        importlib.import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__"))


if __name__ == "__main__":
    main()
