"""A Checkout Session before anything is known of it, and the parameters that make one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.local.stripe.parameters import (
    Address,
    Email,
    Field,
    Group,
    Integer,
    Metadata,
    Several,
    Text,
)

JSON = dict[str, Any]

SESSION: JSON = {
    "id": "",
    "object": "checkout.session",
    "adaptive_pricing": {"enabled": False},
    "after_expiration": None,
    "allow_promotion_codes": None,
    "amount_subtotal": 0,
    "amount_total": 0,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "billing_address_collection": None,
    "cancel_url": None,
    "client_reference_id": None,
    "client_secret": None,
    "collected_information": None,
    "consent": None,
    "consent_collection": None,
    "created": 0,
    "currency": "usd",
    "currency_conversion": None,
    "custom_fields": [],
    "custom_text": {
        "after_submit": None,
        "shipping_address": None,
        "submit": None,
        "terms_of_service_acceptance": None,
    },
    "customer": None,
    "customer_account": None,
    "customer_creation": "if_required",
    "customer_details": None,
    "customer_email": None,
    "discounts": [],
    "expires_at": 0,
    "integration_identifier": None,
    "invoice": None,
    "invoice_creation": None,
    "livemode": False,
    "locale": None,
    "managed_payments": {"enabled": False},
    "metadata": {},
    "mode": "payment",
    "origin_context": None,
    "payment_intent": None,
    "payment_link": None,
    "payment_method_collection": "if_required",
    "payment_method_configuration_details": None,
    "payment_method_options": {},
    "payment_method_types": ["card"],
    "payment_status": "unpaid",
    "permissions": None,
    "phone_number_collection": {"enabled": False},
    "recovered_from": None,
    "saved_payment_method_options": None,
    "setup_intent": None,
    "shipping_address_collection": None,
    "shipping_cost": None,
    "shipping_options": [],
    "status": "open",
    "submit_type": None,
    "subscription": None,
    "success_url": None,
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    "ui_mode": "hosted_page",
    "url": None,
    "wallet_options": None,
}

CUSTOMER: JSON = {
    "address": None,
    "business_name": None,
    "email": None,
    "individual_name": None,
    "name": None,
    "phone": None,
    "tax_exempt": "none",
    "tax_ids": [],
}

CURRENCY = Text(longest=3, required=True)

_PRODUCT = Group(
    fields={
        "name": Text(required=True),
        "description": Text(),
        "images": Several(of=Address(), most=8),
        "metadata": Metadata(),
        "tax_code": Text(),
    },
    required=True,
)
_PRICE = Group(
    fields={
        "currency": CURRENCY,
        "product_data": _PRODUCT,
        "unit_amount": Integer(least=0, most=99_999_999, required=True),
        "tax_behavior": Text(choices=("inclusive", "exclusive", "unspecified")),
    },
    required=True,
)
_LINE = Group(fields={"price_data": _PRICE, "quantity": Integer(least=1)})
_PAYMENT = Group(
    fields={
        "description": Text(),
        "metadata": Metadata(),
        "receipt_email": Email(),
        "statement_descriptor": Text(longest=22),
        "statement_descriptor_suffix": Text(longest=22),
        "transfer_group": Text(),
    }
)

CREATE: Mapping[str, Field] = {
    "mode": Text(choices=("payment", "setup", "subscription"), required=True),
    "line_items": Several(of=_LINE, required=True),
    "success_url": Address(required=True),
    "cancel_url": Address(),
    "client_reference_id": Text(longest=200),
    "customer_creation": Text(choices=("always", "if_required")),
    "customer_email": Email(longest=800),
    "expires_at": Integer(),
    "locale": Text(longest=10),
    "metadata": Metadata(),
    "payment_intent_data": _PAYMENT,
    "payment_method_types": Several(of=Text()),
    "submit_type": Text(choices=("auto", "book", "donate", "pay", "subscribe")),
    "ui_mode": Text(choices=("elements", "embedded_page", "form", "hosted_page")),
}
