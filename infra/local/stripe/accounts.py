"""Connected accounts: opened by the platform, made fit for payouts by their owners."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from infra.local.stripe.account_shapes import (
    ACCOUNT,
    COUNTRIES,
    DUE,
    controller_of,
    no_requirements,
)
from infra.local.stripe.errors import Refused, no_such, out_of_reach, unmet
from infra.local.stripe.ids import new_id
from infra.local.stripe.paging import whole
from infra.local.stripe.parameters import Address, Email, Field, Flag, Group, Metadata, Text
from infra.local.stripe.routes import Call, Route, listing, merged
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
PATH = "/v1/accounts"

_REQUESTED = Group(fields={"requested": Flag()})
_CONTROLLER = Group(
    fields={
        "fees": Group(fields={"payer": Text(choices=("account", "application"))}),
        "losses": Group(fields={"payments": Text(choices=("application", "stripe"))}),
        "requirement_collection": Text(choices=("application", "stripe")),
        "stripe_dashboard": Group(fields={"type": Text(choices=("express", "full", "none"))}),
    }
)
_PROFILE = Group(
    fields={
        "mcc": Text(),
        "name": Text(),
        "product_description": Text(),
        "support_email": Email(),
        "url": Address(),
    }
)
UPDATE: Mapping[str, Field] = {
    "business_profile": _PROFILE,
    "business_type": Text(choices=("company", "government_entity", "individual", "non_profit")),
    "capabilities": Group(fields={"card_payments": _REQUESTED, "transfers": _REQUESTED}),
    "email": Email(longest=800),
    "metadata": Metadata(),
}
CREATE: Mapping[str, Field] = {
    **UPDATE,
    "controller": _CONTROLLER,
    "country": Text(longest=2),
    "default_currency": Text(longest=3),
    "tos_acceptance": Group(
        fields={"service_agreement": Text(choices=("full", "recipient"))},
    ),
    "type": Text(choices=("custom", "express", "standard")),
}


class Accounts:
    """Accounts belong to the platform; what happens in them is told as their own events."""

    def __init__(self, simulator: Simulator) -> None:
        self._sim = simulator

    def routes(self) -> list[Route]:
        """Create, update, read."""
        return [
            Route("POST", PATH, self._create, CREATE),
            Route("POST", f"{PATH}/{{id}}", self._update, UPDATE),
            Route("GET", f"{PATH}/{{id}}", lambda call: self.account(call.ids["id"])),
            listing(self._sim, PATH, "account", "created"),
            Route("GET", "/v1/account", self._own),
        ]

    def account(self, name: str, *, param: str = "account", status: int = 404) -> JSON:
        """The connected account, to read or to change.

        Raises:
            Refused: there is none, or it does not let the platform in any more.
        """
        found = self._sim.store.find("account", name, owner=PLATFORM)
        if found is None and status == 404:  # named by the path: Stripe does not say which
            raise out_of_reach(name)
        if found is None:
            raise no_such(param, name, param=param, status=status)
        return found

    def onboard(self, name: str) -> JSON:
        """The owner has given every detail: requested capabilities are active, payouts enabled."""
        account = self.account(name)
        capabilities = dict.fromkeys(account["capabilities"], "active")
        bank = self._bank_account(name)
        return self._change(
            account,
            {
                "capabilities": capabilities,
                "charges_enabled": capabilities.get("card_payments") == "active",
                "details_submitted": True,
                "external_accounts": whole([bank], url=f"{PATH}/{name}/external_accounts"),
                "payouts_enabled": True,
                "requirements": no_requirements(),
            },
        )

    def restrict(self, name: str, *, reason: str = "requirements.past_due") -> JSON:
        """Stripe restricts the account: nothing can be transferred to it or paid out of it."""
        account = self.account(name)
        due = ["individual.verification.document"]
        restricted = {"currently_due": due, "disabled_reason": reason, "past_due": due}
        return self._change(
            account,
            {
                "capabilities": dict.fromkeys(account["capabilities"], "inactive"),
                "charges_enabled": False,
                "payouts_enabled": False,
                "requirements": no_requirements() | restricted,
            },
        )

    def deauthorize(self, name: str) -> JSON:
        """The owner shuts the platform out: for it the account does not exist any more."""
        account = self.account(name)
        self._sim.store.remove("account", name, owner=PLATFORM)
        application = {"id": "ca_TarsifyPlatform", "object": "application", "name": "Tarsify"}
        self._sim.events.emit("account.application.deauthorized", application, owner=name)
        return account

    def _change(self, account: JSON, changes: JSON) -> JSON:
        former = {field: account[field] for field in changes if account[field] != changes[field]}
        account |= changes
        self._sim.events.emit("account.updated", account, owner=account["id"], previous=former)
        return account

    def _create(self, call: Call) -> JSON:
        params = call.params
        if "type" in params and "controller" in params:
            raise Refused("You may not specify `type` and `controller` together.", param="type")
        if params.get("country", "US") not in COUNTRIES.split():
            message = f"{params['country']} is not currently supported by Stripe."
            raise unmet(message, "country_unsupported", "country")
        name = new_id("acct", length=16)
        wanted = params.get("capabilities", {})
        simple = ("business_type", "country", "default_currency", "email")
        account = copy.deepcopy(ACCOUNT) | {
            field: params[field] for field in simple if field in params
        }
        account |= {
            "id": name,
            "business_profile": account["business_profile"] | params.get("business_profile", {}),
            "capabilities": {each: "inactive" for each in wanted if wanted[each].get("requested")},
            "controller": controller_of(params),
            "created": self._sim.now(),
            "external_accounts": whole([], url=f"{PATH}/{name}/external_accounts"),
            "metadata": merged({}, params.get("metadata", {})),
            "requirements": no_requirements() | DUE,
            "tos_acceptance": account["tos_acceptance"] | params.get("tos_acceptance", {}),
            "type": _type(params),
        }
        return self._sim.store.add(account, owner=PLATFORM)

    def _update(self, call: Call) -> JSON:
        account, params = self.account(call.ids["id"]), call.params
        simple = ("business_type", "email")
        changes: JSON = {name: params[name] for name in simple if name in params}
        if "business_profile" in params:
            changes["business_profile"] = account["business_profile"] | params["business_profile"]
        if "metadata" in params:
            changes["metadata"] = merged(account["metadata"], params["metadata"])
        state = "active" if account["details_submitted"] else "inactive"
        wanted = params.get("capabilities", {})
        fresh = {name: state for name in wanted if name not in account["capabilities"]}
        return self._change(account, changes | {"capabilities": account["capabilities"] | fresh})

    def _own(self, call: Call) -> JSON:
        if call.owner != PLATFORM:
            return self.account(call.owner)
        return copy.deepcopy(ACCOUNT) | {
            "id": PLATFORM,
            "charges_enabled": True,
            "controller": {"type": "account"},
            "details_submitted": True,
            "external_accounts": whole([], url=f"{PATH}/{PLATFORM}/external_accounts"),
            "payouts_enabled": True,
            "requirements": no_requirements(),
            "type": "standard",
        }

    def _bank_account(self, name: str) -> JSON:
        return {
            "id": new_id("ba"),
            "object": "bank_account",
            "account": name,
            "account_holder_name": None,
            "account_holder_type": None,
            "account_type": None,
            "available_payout_methods": ["standard"],
            "bank_name": "STRIPE TEST BANK",
            "country": "US",
            "currency": "usd",
            "default_for_currency": True,
            "fingerprint": "TarsifyTestBank1",
            "future_requirements": None,
            "last4": "6789",
            "metadata": {},
            "requirements": None,
            "routing_number": "110000000",
            "status": "new",
        }


def _type(params: JSON) -> str:
    if "controller" not in params:
        return str(params.get("type", "standard"))
    dashboard = params["controller"].get("stripe_dashboard", {}).get("type", "full")
    return {"express": "express", "full": "standard"}.get(dashboard, "none")
