"""Every environment's plan keeps every policy, and each policy sees the breach that it is for."""

import copy
from collections.abc import Mapping

import pytest

from infra.release.policy import violations
from infra.terraform_checking.gate import environments
from tests.terraform.breaches import BREACHES, Breach
from tests.terraform.plan import Plan
from tests.terraform.policies import POLICIES
from tests.terraform.watching_breaches import WATCHING

EVERY = [*BREACHES, *WATCHING]
# Making the plans can take minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("environment", environments())
@pytest.mark.parametrize("name", POLICIES)
def test_the_plan_keeps_a_policy(plans: Mapping[str, Plan], environment: str, name: str) -> None:
    assert list(POLICIES[name](plans[environment])) == []


@pytest.mark.parametrize("breach", EVERY, ids=lambda breach: breach.what)
def test_a_policy_sees_its_breach(plans: Mapping[str, Plan], breach: Breach) -> None:
    document = copy.deepcopy(dict(plans["prod"].document))
    breach.commit(document)
    assert list(POLICIES[breach.policy](Plan(document))) != []


def test_every_policy_has_a_breach() -> None:
    assert {breach.policy for breach in EVERY} == POLICIES.keys()


@pytest.mark.parametrize("environment", environments())
def test_a_release_would_let_the_plan_pass(plans: Mapping[str, Plan], environment: str) -> None:
    assert violations(plans[environment].document) == []
