"""The whole gate: each environment is validated, tested and planned; the plans are searched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from infra.terraform_checking import tools
from infra.terraform_checking.findings import search
from infra.terraform_checking.terraform import FOLDER, Terraform, command, terraform


def environments(source: Path = FOLDER) -> list[str]:
    """Every folder of terraform/environments."""
    return sorted(file.parent.name for file in source.glob("environments/*/main.tf"))


def check(
    wanted: Sequence[str], bindings: str = tools.BINDINGS, source: Path = FOLDER
) -> dict[str, Path]:
    """The plan of each environment, as JSON. Raises GateFailed.

    What passed once is not checked again: plans are kept under a digest of everything that they
    depend on.
    """
    command(["terraform", "fmt", "-check", "-recursive", str(source)])
    with tools.alone():
        schema = tools.schema(bindings)
        kept = tools.CACHE / "plans" / f"{bindings}-{_digest(source)}"
        missing = [name for name in wanted if not (kept / f"{name}.json").exists()]
        if missing:
            with terraform(tools.protocol_python(), schema, source) as working:
                _check(working, missing, kept)
    return {name: kept / f"{name}.json" for name in wanted}


def _check(working: Terraform, names: Sequence[str], kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    plans = {}
    for name in names:
        plans[name] = kept / f"{name}.unchecked.json"
        plans[name].write_text(working.plan(name), encoding="utf-8")
        planned = json.loads(plans[name].read_text())["resource_changes"]
        print(f"{name}: valid, its tests pass, {len(planned)} resources planned")
    print(search(tools.checkov(), plans, working.folder))
    for name, plan in plans.items():
        plan.rename(kept / f"{name}.json")


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    ours = Path(__file__).parent.glob("*.py")
    configuration = (
        it for it in source.rglob("*") if it.suffix in (".tf", ".hcl", ".tfvars", ".yaml")
    )
    for file in sorted([*ours, *configuration]):
        digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
