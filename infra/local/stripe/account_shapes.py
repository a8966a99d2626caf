"""A connected account before its owner has said anything."""

from __future__ import annotations

import copy
from typing import Any

from infra.local.stripe.payment_shapes import ADDRESS

JSON = dict[str, Any]

COUNTRIES = (
    "AE AT AU BE BG BR CA CH CY CZ DE DK EE ES FI FR GB GI GR HK HR HU IE IN IT JP LI LT LU LV MT"
    " MX MY NL NO NZ PL PT RO SE SG SI SK TH US"
)
"""Where accounts can be opened, as far as the stand-in cares."""

_REQUIREMENTS: JSON = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
_MISSING = [
    "business_profile.url",
    "external_account",
    "individual.first_name",
    "tos_acceptance.date",
]
DUE: JSON = {
    "currently_due": _MISSING,
    "disabled_reason": "requirements.past_due",
    "eventually_due": _MISSING,
    "past_due": _MISSING,
}
"""The requirements of a fresh account."""

ACCOUNT: JSON = {
    "id": "",
    "object": "account",
    "business_profile": {
        "annual_revenue": None,
        "estimated_worker_count": None,
        "mcc": None,
        "minority_owned_business_designation": None,
        "name": None,
        "product_description": None,
        "support_address": ADDRESS,
        "support_email": None,
        "support_phone": None,
        "support_url": None,
        "url": None,
    },
    "business_type": None,
    "capabilities": {},
    "charges_enabled": False,
    "controller": {},
    "country": "US",
    "created": 0,
    "default_currency": "usd",
    "details_submitted": False,
    "email": None,
    "external_accounts": {},
    "future_requirements": _REQUIREMENTS,
    "metadata": {},
    "payouts_enabled": False,
    "requirements": _REQUIREMENTS,
    "settings": {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": {
            "statement_descriptor": None,
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    },
    "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
    "type": "express",
}


def no_requirements() -> JSON:
    """The requirements of an account that lacks nothing."""
    return copy.deepcopy(_REQUIREMENTS)


def controller_of(params: JSON) -> JSON:
    """The `controller` of an account made with a type, or with controller properties."""
    given = params.get("controller", {})
    express = params.get("type") in ("express", "custom")
    default = "application" if express else "account"
    dashboard = {"express": "express", "custom": "none"}.get(params.get("type", ""), "full")
    return {
        "type": "application",
        "is_controller": True,
        "fees": {"payer": given.get("fees", {}).get("payer", default)},
        "losses": {
            "payments": given.get("losses", {}).get(
                "payments", "application" if express else "stripe"
            )
        },
        "requirement_collection": given.get("requirement_collection", "stripe"),
        "stripe_dashboard": {"type": given.get("stripe_dashboard", {}).get("type", dashboard)},
    }
