"""Stripe's stand-in: the part of its HTTP API that Tarsify uses, its pages, and its webhooks."""
