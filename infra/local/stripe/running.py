"""Stripe for tests: the stand-in in a thread of its own, and Stripe's own client for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from infra.local.stripe.app import serve
from infra.local.stripe.client import StripeControl
from infra.local.threaded import in_thread

if TYPE_CHECKING:
    from stripe import StripeClient

KEY = "sk_test_tarsify"


@contextmanager
def running_stripe(
    *,
    key: str = KEY,
    port: int = 0,
    public_url: str | None = None,
    manual_clock: bool = False,
    data: Path | None = None,
) -> Iterator[StripeControl]:
    """Run the stand-in until the context ends; told what to do by the object this yields."""
    with in_thread(
        lambda: serve(
            key=key, port=port, public_url=public_url, manual_clock=manual_clock, data=data
        )
    ) as (served, _):
        control = StripeControl(served.url, key=key)
        try:
            yield control
        finally:
            control.close()


def stripe_client(
    control: StripeControl, *, key: str | None = None, max_network_retries: int = 0
) -> StripeClient:
    """The real SDK, talking to the stand-in."""
    from stripe import StripeClient

    return StripeClient(
        key or control.key,
        base_addresses={"api": control.url},
        max_network_retries=max_network_retries,
    )
