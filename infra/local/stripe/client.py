"""Tells a running stand-in what to do, over its control interface."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

JSON = dict[str, Any]


class StripeControl:
    """The control interface of a stand-in at `url`; `key` is the API key it accepts.

    Amounts are cents, spans are seconds of the stand-in's clock unless said otherwise. Every
    method raises ValueError with the stand-in's reason when it refuses.
    """

    def __init__(self, url: str, *, key: str) -> None:
        self.url = url
        self.key = key
        self._http = httpx.Client(base_url=f"{url}/_control", timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def add_receiver(
        self,
        url: str,
        *,
        secrets: Sequence[str],
        connect: bool = False,
        events: Sequence[str] = ("*",),
    ) -> str:
        """Have events brought to `url`: the platform's, or with `connect` its accounts'. Its id.

        Deliveries are signed with each of `secrets`; `events` are types, with `*` for anything.
        """
        told = {"url": url, "secrets": list(secrets), "connect": connect, "events": list(events)}
        return str(self._do("add_receiver", **told)["id"])

    def receivers(self) -> list[JSON]:
        """Every receiver."""
        return list(self._do("receivers")["receivers"])

    def change_secrets(self, receiver: str, secrets: Sequence[str]) -> None:
        """Sign with these from now on: two while rotating, then the new one."""
        self._do("change_receiver", receiver=receiver, secrets=list(secrets))

    def remove_receiver(self, receiver: str) -> None:
        """Bring nothing there any more."""
        self._do("remove_receiver", receiver=receiver)

    def pay(self, session: str, *, email: str | None = None) -> JSON:
        """The shopper pays a Checkout Session; the session."""
        return self._do("pay", session=session, email=email)

    def decline(self, session: str, *, reason: str = "generic_decline") -> JSON:
        """The shopper's card is declined, with this decline code; the failed charge."""
        return self._do("decline", session=session, reason=reason)

    def expire(self, session: str) -> JSON:
        """The session's time is over; the session."""
        return self._do("expire", session=session)

    def refund(self, payment: str, *, amount: int | None = None, reason: str | None = None) -> JSON:
        """Refund a charge or PaymentIntent from the dashboard; the refund."""
        return self._do("refund", payment=payment, amount=amount, reason=reason)

    def fail_refund(self, refund: str) -> JSON:
        """The bank sends a refund back; the refund."""
        return self._do("fail_refund", refund=refund)

    def open_dispute(
        self, payment: str, *, amount: int | None = None, reason: str = "fraudulent"
    ) -> JSON:
        """The shopper disputes a charge or PaymentIntent; the dispute."""
        return self._do("open_dispute", payment=payment, amount=amount, reason=reason)

    def win_dispute(self, dispute: str, *, return_fee: bool = False) -> JSON:
        """The bank decides for the platform; the fee comes back only with `return_fee`."""
        return self._do("win_dispute", dispute=dispute, return_fee=return_fee)

    def lose_dispute(self, dispute: str) -> JSON:
        """The bank decides for the shopper; the dispute."""
        return self._do("lose_dispute", dispute=dispute)

    def onboard(self, account: str) -> JSON:
        """The account's owner has given every detail; the account."""
        return self._do("onboard", account=account)

    def restrict(self, account: str, *, reason: str = "requirements.past_due") -> JSON:
        """Stripe restricts the account; the account."""
        return self._do("restrict", account=account, reason=reason)

    def deauthorize(self, account: str) -> JSON:
        """The account's owner shuts the platform out of it; the account."""
        return self._do("deauthorize", account=account)

    def reverse_transfer(self, transfer: str, *, amount: int | None = None) -> JSON:
        """Reverse a transfer from the dashboard; the reversal."""
        return self._do("reverse_transfer", transfer=transfer, amount=amount)

    def payout(self, account: str, *, amount: int | None = None) -> JSON:
        """Stripe's automatic payout of what an account has (or `amount`); the payout."""
        return self._do("payout", account=account, amount=amount)

    def pay_payout(self, payout: str) -> JSON:
        """The payout arrives now instead of in two days; the payout."""
        return self._do("pay_payout", payout=payout)

    def fail_payout(self, payout: str, *, code: str = "account_closed") -> JSON:
        """The bank sends the payout back, also after it was paid; the payout."""
        return self._do("fail_payout", payout=payout, code=code)

    def top_up(self, cents: int) -> JSON:
        """Put money into the platform's available balance; the balance transaction."""
        return self._do("top_up", cents=cents)

    def set_availability(self, seconds: float) -> None:
        """From now on, what shoppers pay is pending for so long (0, the default: not at all)."""
        self._do("availability", seconds=seconds)

    def now(self) -> float:
        """The stand-in's time, in Unix seconds."""
        return float(self._do("clock")["now"])

    def advance(self, seconds: float) -> None:
        """Let time pass at once; what falls due on the way happens, deliveries included."""
        self._do("clock", advance=seconds)

    def settle(self) -> None:
        """Wait until every delivery that is under way has been answered (or 2 real seconds)."""
        self._do("clock", advance=0)

    def set_clock(self, *, manual: bool) -> None:
        """Stop the flow of time, or let it flow again."""
        self._do("clock", manual=manual)

    def set_retries(self, *, first_wait_seconds: float) -> None:
        """How long after a failed delivery the next one comes; it doubles from there."""
        self._do("retries", first_wait_seconds=first_wait_seconds)

    def hold(self) -> None:
        """Hold all deliveries back until `release`."""
        self._do("hold")

    def held(self) -> list[JSON]:
        """What is held back, oldest first: `event`, `type`, `receiver`."""
        return list(self._do("held")["held"])

    def release(self, *, shuffle_seed: int | None = None) -> int:
        """Let go what is held back, in order or shuffled; how many deliveries."""
        return int(self._do("release", shuffle_seed=shuffle_seed)["released"])

    def drop_held(self, events: Sequence[str] | None = None) -> int:
        """Lose what is held back, or the deliveries of these event ids; how many."""
        told = None if events is None else list(events)
        return int(self._do("drop_held", events=told)["dropped"])

    def drop(self, event_type: str = "*", *, next: int = 1) -> None:  # noqa: A002
        """Never bring the next deliveries of this type."""
        self._do("drop", type=event_type, next=next)

    def duplicate(self, event_type: str = "*", *, next: int = 1) -> None:  # noqa: A002
        """Bring the next deliveries of this type twice."""
        self._do("duplicate", type=event_type, next=next)

    def resend(self, event: str) -> int:
        """Bring an event again, by its id; to how many receivers."""
        return int(self._do("resend", event=event)["receivers"])

    def attempts(self) -> list[JSON]:
        """The calls of receivers so far: `event`, `type`, `receiver`, `at`, `status`, `problem`."""
        return list(self._do("attempts")["attempts"])

    def events(self, *, account: str | None = None) -> list[JSON]:
        """Every event of the platform, or of a connected account, oldest first."""
        return list(self._do("events", account=account)["events"])

    def sign(self, payload: str, *, secret: str, timestamp: int | None = None) -> str:
        """A `Stripe-Signature` for any payload, to forge with; `timestamp` in Unix seconds."""
        instant = int(time.time()) if timestamp is None else timestamp
        told = {"payload": payload, "secrets": [secret], "timestamp": instant}
        return str(self._do("sign", **told)["signature"])

    def fault(
        self,
        fault: str,
        *,
        method: str = "*",
        path: str = "*",
        next: int | None = 1,  # noqa: A002 - reads as told: next=1
        **options: Any,
    ) -> None:
        """Strike the next API calls of `method` and `path` (`*` for anything; None: all of them).

        `fault` and its options (`seconds`, real ones; `saved`) are those of `faults.FAULTS`.
        """
        told = {"method": method, "path": path, "next": next, "options": options}
        self._do("fault", fault=fault, **told)

    def faults(self) -> JSON:
        """The table of faults, and the switches that are on."""
        return self._do("faults")

    def mend(self, fault: str | None = None) -> None:
        """Switch this fault off, or all."""
        self._do("mend", fault=fault)

    def reset(self) -> None:
        """Forget everything but the receivers."""
        self._do("reset")

    def wait_for(self, condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
        """Wait until `condition` holds.

        Raises:
            TimeoutError: it did not within real `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s: {self.attempts()[-5:]}")
            time.sleep(0.02)

    def _do(self, action: str, **told: Any) -> JSON:
        reply = self._http.post(f"/{action}", json=told)
        body: JSON = reply.json()
        if reply.status_code != 200:
            raise ValueError(body["problem"])
        return body
