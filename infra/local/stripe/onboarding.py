"""Account links: the way to a page where an account's owner gives the missing details."""

from __future__ import annotations

from typing import Any

from infra.local.stripe.accounts import Accounts
from infra.local.stripe.errors import Refused
from infra.local.stripe.ids import new_id
from infra.local.stripe.parameters import Address, Group, Text
from infra.local.stripe.routes import Call, Route
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
LINK = "_account_link"
LIFE_SECONDS = 5 * 60
COLLECTED = ("currently_due", "eventually_due")


class Onboarding:
    """Links that open once, within five minutes."""

    def __init__(self, simulator: Simulator, accounts: Accounts) -> None:
        self._sim = simulator
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """Create."""
        options = Group(
            fields={
                "fields": Text(choices=COLLECTED),
                "future_requirements": Text(choices=("include", "omit")),
            }
        )
        fields = {
            "account": Text(required=True),
            "type": Text(choices=("account_onboarding", "account_update"), required=True),
            "collect": Text(choices=COLLECTED),
            "collection_options": options,
            "refresh_url": Address(required=True),
            "return_url": Address(required=True),
        }
        return [Route("POST", "/v1/account_links", self._create, fields)]

    def visit(self, token: str) -> JSON | None:
        """Open the link: its record, with `form`, the secret that completes it.

        None when the link is used up or over; its owner then belongs at `refresh_url`.
        """
        link = self.link(token)
        if link["form"] is not None or self._sim.clock.now() >= link["expires_at"]:
            return None
        link["form"] = new_id("form")
        return link

    def link(self, token: str) -> JSON:
        """The link's record.

        Raises:
            Refused: there is none.
        """
        return self._sim.get(LINK, token, param="account_link")

    def complete(self, token: str, form: str) -> JSON:
        """The page was sent off; the link's record.

        Raises:
            Refused: the form is not that of the visit.
        """
        link = self.link(token)
        if link["form"] is None or form != link["form"]:
            raise Refused("This form is over. Ask for a new link.")
        if not self._accounts.account(link["account"])["details_submitted"]:
            self._accounts.onboard(link["account"])
        return link

    def _create(self, call: Call) -> JSON:
        params = call.params
        account = self._accounts.account(params["account"], status=400)
        if (
            params["type"] == "account_update"
            and account["controller"]["requirement_collection"] == "stripe"
        ):
            raise Refused(
                "You cannot create `account_update` type Account Links for this account.",
                param="type",
            )
        now, token = self._sim.now(), new_id("alink")
        link = {
            "object": LINK,
            "id": token,
            "account": account["id"],
            "expires_at": now + LIFE_SECONDS,
            "form": None,
            "refresh_url": params["refresh_url"],
            "return_url": params["return_url"],
        }
        self._sim.store.add(link, owner=PLATFORM)
        return {
            "object": "account_link",
            "created": now,
            "expires_at": link["expires_at"],
            "url": f"{self._sim.public_url}/setup/e/{account['id']}/{token}",
        }
