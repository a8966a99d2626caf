"""Transfers from the platform's balance to connected accounts, and their reversals."""

from __future__ import annotations

from typing import Any

from infra.local.stripe.accounts import Accounts
from infra.local.stripe.errors import Refused
from infra.local.stripe.ids import new_id
from infra.local.stripe.paging import list_fields, page, whole
from infra.local.stripe.parameters import Integer, Metadata, Text
from infra.local.stripe.routes import Call, Route, listing, merged, retrieving
from infra.local.stripe.simulator import PLATFORM, Simulator

JSON = dict[str, Any]
PATH = "/v1/transfers"


class Transfers:
    """Money that the platform passes on."""

    def __init__(self, simulator: Simulator, accounts: Accounts) -> None:
        self._sim = simulator
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """Create, reverse, update, read."""
        words = {"description": Text(), "metadata": Metadata()}
        fields = {
            "amount": Integer(least=1, required=True),
            "currency": Text(longest=3, required=True),
            "destination": Text(required=True),
            "source_type": Text(choices=("bank_account", "card", "fpx")),
            "transfer_group": Text(),
            **words,
        }
        reversals = f"{PATH}/{{id}}/reversals"
        return [
            Route("POST", PATH, self._create, fields),
            Route("POST", f"{PATH}/{{id}}", self._update, words),
            listing(self._sim, PATH, "transfer", "created", "destination", "transfer_group"),
            retrieving(self._sim, PATH, "transfer", param="transfer"),
            Route("POST", reversals, self._reverse, {"amount": Integer(least=1), **words}),
            Route("GET", reversals, self._list_reversals, list_fields()),
            Route("GET", f"{reversals}/{{reversal}}", self._retrieve_reversal),
        ]

    def reverse(self, name: str, params: JSON, *, owner: str = PLATFORM) -> JSON:
        """Take a transfer back, wholly unless `amount` says less.

        Raises:
            Refused: more than is left of it, or more than the account still has.
        """
        transfer = self._sim.get("transfer", name, owner=owner, param="transfer")
        left = transfer["amount"] - transfer["amount_reversed"]
        amount = params.get("amount") or left
        if left == 0:
            raise Refused(f"Transfer {name} is already fully reversed.")
        if amount > left:
            raise Refused(
                f"Transfer reversal amount (${amount / 100:,.2f}) is greater than unreversed "
                f"amount on transfer (${left / 100:,.2f})",
                param="amount",
            )
        if amount > self._sim.books.available(transfer["destination"]):
            raise Refused(
                "Insufficient funds in your Stripe balance to reverse this transfer: the "
                "connected account has too little available.",
                code="balance_insufficient",
            )
        reversal = self._make_reversal(transfer, amount, params)
        transfer["amount_reversed"] += amount
        transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
        transfer["reversals"] = whole(self._reversals(name), url=f"{PATH}/{name}/reversals")
        self._sim.events.emit("transfer.reversed", transfer)
        return reversal

    def _create(self, call: Call) -> JSON:
        params = call.params
        account = self._accounts.account(params["destination"], param="destination", status=400)
        if account["capabilities"].get("transfers") != "active":
            raise Refused(
                "Your destination account needs to have at least one of the following "
                "capabilities enabled: transfers, crypto_transfers, legacy_payments",
                code="insufficient_capabilities_for_transfer",
            )
        dollars = params["currency"].lower() == "usd"  # the balance has no other currency
        if not dollars or params["amount"] > self._sim.books.available(call.owner):
            raise Refused(
                "You have insufficient available funds in your Stripe account. Try adding funds "
                "directly to your available balance by creating Charges using the "
                "4000000000000077 test card.",
                code="balance_insufficient",
            )
        transfer = self._make(call.owner, account["id"], params)
        self._sim.events.emit("transfer.created", transfer, owner=call.owner)
        return transfer

    def _make(self, owner: str, destination: str, params: JSON) -> JSON:
        name, payment, amount = new_id("tr"), new_id("py"), params["amount"]
        books = self._sim.books
        description = params.get("description")
        movement = books.post(
            "transfer", owner=owner, amount=-amount, source=name, description=description
        )
        books.post("payment", owner=destination, amount=amount, source=payment)
        transfer = {
            "id": name,
            "object": "transfer",
            "amount": amount,
            "amount_reversed": 0,
            "balance_transaction": movement["id"],
            "created": self._sim.now(),
            "currency": "usd",
            "description": description,
            "destination": destination,
            "destination_payment": payment,
            "livemode": False,
            "metadata": merged({}, params.get("metadata", {})),
            "reversals": whole([], url=f"{PATH}/{name}/reversals"),
            "reversed": False,
            "source_transaction": None,
            "source_type": params.get("source_type", "card"),
            "transfer_group": params.get("transfer_group"),
        }
        return self._sim.store.add(transfer, owner=owner)

    def _make_reversal(self, transfer: JSON, amount: int, params: JSON) -> JSON:
        name, refund = new_id("trr"), new_id("pyr")
        books = self._sim.books
        movement = books.post("transfer_refund", owner=PLATFORM, amount=amount, source=name)
        books.post("payment_refund", owner=transfer["destination"], amount=-amount, source=refund)
        reversal = {
            "id": name,
            "object": "transfer_reversal",
            "amount": amount,
            "balance_transaction": movement["id"],
            "created": self._sim.now(),
            "currency": transfer["currency"],
            "destination_payment_refund": refund,
            "metadata": merged({}, params.get("metadata", {})),
            "source_refund": None,
            "transfer": transfer["id"],
        }
        return self._sim.store.add(reversal, owner=PLATFORM)

    def _reversals(self, transfer: str) -> list[JSON]:
        every = self._sim.store.every("transfer_reversal", owner=PLATFORM)
        return [reversal for reversal in every if reversal["transfer"] == transfer]

    def _reverse(self, call: Call) -> JSON:
        return self.reverse(call.ids["id"], call.params, owner=call.owner)

    def _update(self, call: Call) -> JSON:
        transfer = self._sim.get("transfer", call.ids["id"], owner=call.owner, param="transfer")
        transfer["metadata"] = merged(transfer["metadata"], call.params.get("metadata", {}))
        transfer["description"] = call.params.get("description", transfer["description"])
        self._sim.events.emit("transfer.updated", transfer, owner=call.owner)
        return transfer

    def _list_reversals(self, call: Call) -> JSON:
        name = call.ids["id"]
        self._sim.get("transfer", name, owner=call.owner, param="transfer")
        url = f"{PATH}/{name}/reversals"
        return page(self._reversals(name), call.params, url=url, kind="transfer_reversal")

    def _retrieve_reversal(self, call: Call) -> JSON:
        return self._sim.get("transfer_reversal", call.ids["reversal"], owner=call.owner)
