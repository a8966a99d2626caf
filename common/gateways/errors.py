"""Failures of the outside world. They never reach a caller: a service turns them into meaning."""


class GatewayError(Exception):
    """A vendor or a network did not do what it was asked."""
