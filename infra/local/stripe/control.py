"""The control interface under `/_control/...`: what tests and the local platform tell the stand-in.

It is what at Stripe the dashboard, shoppers, banks and bad luck do. Production code must never
know these paths.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from infra.local.stripe.errors import Refused
from infra.local.stripe.faults import FAULTS, Switch
from infra.local.stripe.ids import new_id
from infra.local.stripe.resources import Resources
from infra.local.stripe.signatures import signature
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
Action = Callable[[JSON], JSON | Awaitable[JSON]]


class Control:
    """Actions by name, each with a JSON body; a wrong one is answered 400 with the reason."""

    def __init__(self, simulator: Simulator, resources: Resources) -> None:
        self._sim = simulator
        self._resources = resources
        self._actions: dict[str, Action] = {
            **self._happenings(),
            **self._webhooks(),
            **self._conditions(),
        }

    def routes(self) -> list[web.RouteDef]:
        """`GET /_control/ready`, and `POST /_control/<action>` for the rest."""
        return [
            web.get("/_control/ready", self._ready),
            web.post("/_control/{action}", self._act),
        ]

    async def _ready(self, _: web.Request) -> web.Response:
        return web.json_response({"ready": True, "platform": PLATFORM})

    async def _act(self, request: web.Request) -> web.Response:
        try:
            action = self._actions[request.match_info["action"]]
            answer = action(await request.json())
            return web.json_response(answer if isinstance(answer, dict) else await answer)
        except Refused as refusal:
            return web.json_response({"problem": str(refusal)}, status=400)
        except (ValueError, TypeError, KeyError) as problem:
            return web.json_response({"problem": repr(problem)}, status=400)
        finally:
            self._sim.store.flush()

    def _happenings(self) -> dict[str, Action]:
        """What shoppers, banks, account owners and the dashboard do."""
        of = self._resources
        return {
            "pay": lambda told: of.checkout.pay(told["session"], email=told.get("email")),
            "decline": lambda told: of.checkout.decline(told["session"], reason=told["reason"]),
            "expire": lambda told: of.checkout.expire(told["session"]),
            "refund": lambda told: of.refunds.refund(_payment(told)),
            "fail_refund": lambda told: of.refunds.fail(told["refund"]),
            "open_dispute": lambda told: of.disputes.open(_payment(told)),
            "win_dispute": lambda told: of.disputes.close(
                told["dispute"], won=True, return_fee=told.get("return_fee", False)
            ),
            "lose_dispute": lambda told: of.disputes.close(told["dispute"], won=False),
            "onboard": lambda told: of.accounts.onboard(told["account"]),
            "restrict": lambda told: of.accounts.restrict(told["account"], reason=told["reason"]),
            "deauthorize": lambda told: of.accounts.deauthorize(told["account"]),
            "reverse_transfer": lambda told: of.transfers.reverse(told["transfer"], told),
            "payout": lambda told: of.payouts.begin(told["account"], told, automatic=True),
            "pay_payout": lambda told: of.payouts.arrive(
                of.payouts.owner_of(told["payout"]), told["payout"]
            ),
            "fail_payout": lambda told: of.payouts.fail(
                of.payouts.owner_of(told["payout"]), told["payout"], code=told["code"]
            ),
            "top_up": self._top_up,
        }

    def _webhooks(self) -> dict[str, Action]:
        """Receivers, and what becomes of deliveries."""
        deliveries = self._sim.deliveries
        return {
            "add_receiver": self._add_receiver,
            "receivers": lambda _: {"receivers": deliveries.receivers()},
            "change_receiver": self._change_receiver,
            "remove_receiver": self._remove_receiver,
            "hold": self._hold,
            "release": lambda told: {
                "released": deliveries.release(shuffle_seed=told.get("shuffle_seed"))
            },
            "held": lambda _: {"held": deliveries.held()},
            "drop_held": lambda told: {"dropped": deliveries.drop_held(told.get("events"))},
            "drop": self._drop,
            "duplicate": self._duplicate,
            "attempts": lambda _: {"attempts": deliveries.attempts()},
            "resend": self._resend,
            "sign": _sign,
        }

    def _conditions(self) -> dict[str, Action]:
        """Clock, faults, delays."""
        return {
            "clock": self._set_clock,
            "availability": self._set_availability,
            "retries": self._set_retries,
            "fault": self._add_fault,
            "faults": lambda _: {"table": dict(FAULTS), "on": self._faults_on()},
            "mend": self._mend,
            "events": lambda told: {
                "events": self._sim.store.every("event", owner=told.get("account") or PLATFORM)
            },
            "reset": self._reset,
        }

    def _top_up(self, told: JSON) -> JSON:
        return self._sim.books.post(
            "topup",
            owner=PLATFORM,
            amount=int(told["cents"]),
            source=new_id("tu"),
            description="Top-up",
        )

    def _add_receiver(self, told: JSON) -> JSON:
        name = self._sim.deliveries.add_receiver(
            told["url"],
            list(told["secrets"]),
            connect=bool(told.get("connect")),
            events=list(told.get("events") or ["*"]),
        )
        return {"id": name}

    def _change_receiver(self, told: JSON) -> JSON:
        receiver = self._sim.deliveries.receiver(told["receiver"])
        receiver |= {name: told[name] for name in ("secrets", "url", "events") if told.get(name)}
        return receiver

    def _remove_receiver(self, told: JSON) -> JSON:
        self._sim.deliveries.remove_receiver(told["receiver"])
        return {}

    def _hold(self, _: JSON) -> JSON:
        self._sim.deliveries.interference.holding = True
        return {}

    def _drop(self, told: JSON) -> JSON:
        self._sim.deliveries.interference.drop[told["type"]] = int(told["next"])
        return {}

    def _duplicate(self, told: JSON) -> JSON:
        self._sim.deliveries.interference.duplicate[told["type"]] = int(told["next"])
        return {}

    def _resend(self, told: JSON) -> JSON:
        for owner in self._sim.store.owners("event"):
            event = self._sim.store.find("event", told["event"], owner=owner)
            if event is not None:
                return {"receivers": self._sim.deliveries.resend(event, owner=owner)}
        raise ValueError(f"no event {told['event']}")

    async def _set_clock(self, told: JSON) -> JSON:
        if told.get("manual") is not None:
            self._sim.clock.set(manual=bool(told["manual"]))
        if told.get("advance") is not None:
            await self._sim.clock.advance(float(told["advance"]))
            self._sim.keys.prune()
        return {"now": self._sim.clock.now()}

    def _set_availability(self, told: JSON) -> JSON:
        self._sim.books.delay_seconds = float(told["seconds"])
        return {}

    def _set_retries(self, told: JSON) -> JSON:
        self._sim.deliveries.first_wait_seconds = float(told["first_wait_seconds"])
        return {}

    def _add_fault(self, told: JSON) -> JSON:
        switch = Switch(
            told["fault"],
            told.get("method", "*"),
            told.get("path", "*"),
            told.get("next"),
            told.get("options", {}),
        )
        self._sim.faults.switches.append(switch)
        return {"fault": switch.fault}

    def _faults_on(self) -> list[JSON]:
        return [
            {
                "fault": each.fault,
                "method": each.method,
                "path": each.path,
                "next": each.remaining,
                "struck": each.struck,
            }
            for each in self._sim.faults.switches
        ]

    def _mend(self, told: JSON) -> JSON:
        switches = self._sim.faults.switches
        wanted = told.get("fault")
        switches[:] = [each for each in switches if wanted not in (None, each.fault)]
        return {}

    def _reset(self, _: JSON) -> JSON:
        self._sim.reset()
        return {}


def _payment(told: JSON) -> JSON:
    """A charge's or PaymentIntent's id, as the parameter that it is."""
    name = told["payment"]
    kind = "payment_intent" if name.startswith("pi_") else "charge"
    rest = {field: told[field] for field in ("amount", "reason") if told.get(field) is not None}
    return {kind: name, **rest}


def _sign(told: JSON) -> JSON:
    header = signature(told["payload"].encode(), told["secrets"], int(told["timestamp"]))
    return {"signature": header}
