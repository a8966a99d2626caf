"""Webhooks that we send: signed, in order, again and again until they are taken."""
