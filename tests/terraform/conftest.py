"""The plans of all environments: made by the gate once, and kept while nothing changes."""

import json
from collections.abc import Mapping

import pytest

from infra.terraform_checking.gate import check, environments
from infra.terraform_checking.tools import missing_terraform
from tests.terraform.plan import Plan


@pytest.fixture(scope="session")
def plans() -> Mapping[str, Plan]:
    """Each environment's plan, which has passed the gate."""
    if reason := missing_terraform():
        pytest.skip(f"TERRAFORM IS NOT CHECKED: {reason}")
    return {
        name: Plan(json.loads(file.read_text(encoding="utf-8")))
        for name, file in check(environments()).items()
    }
