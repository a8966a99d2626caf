"""What checkov finds in the plans. A finding stands only with its reason beside the resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from infra.terraform_checking.terraform import GateFailed, command

OPTIONS = ("--framework", "terraform_plan", "--compact", "--quiet", "--skip-download")


def search(checkov: Path, plans: Mapping[str, Path], folder: Path) -> str:
    """How many findings are explained, in words. Raises GateFailed with those that are not.

    `folder` is terraform/, where the reasons are: each environment's .checkov.yaml leads there.
    """
    files = [part for plan in plans.values() for part in ("--file", str(plan))]
    some_environment = folder / "environments" / next(iter(plans))
    said = command([str(checkov), *files, *OPTIONS], where=some_environment)
    counts = re.findall(r"Passed checks: (\d+), Failed checks: (\d+), Skipped checks: (\d+)", said)
    if not counts:
        raise GateFailed(f"checkov searched nothing\n{said}")
    passed, failed, explained = (sum(map(int, column)) for column in zip(*counts, strict=True))
    if failed:
        raise GateFailed(said)
    return f"checkov: {passed} checks pass, {explained} findings are explained, none is open"
