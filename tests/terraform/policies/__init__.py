"""What must hold in every installation's plan. Each policy yields a line for each breach.

Where the code says the same thing (settings, needs, routes, kinds of alarm, the front door's
table), a policy compares with the code and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.terraform.plan import Plan
from tests.terraform.policies import (
    access,
    database,
    delivery,
    entrance,
    functions,
    wake_ups,
    watching,
)

Policy = Callable[[Plan], Iterator[str]]

POLICIES: dict[str, Policy] = {
    policy.__name__: policy
    for part in (access, database, delivery, entrance, functions, wake_ups, watching)
    for policy in part.POLICIES
}
