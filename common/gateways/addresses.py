"""Which network addresses a stranger may make us connect to: public ones only. Pure.

No list of names can decide this, since DNS answers what its owner likes: the address itself is
judged, whatever it is wrapped in.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address


def is_public(address: str) -> bool:
    """Whether the address, and the IPv4 address that it may wrap, belongs to the public internet.

    False for private, loopback, link-local (169.254.169.254: the cloud's metadata), shared
    (100.64/10), multicast and reserved addresses (NAT64 among them), and for what is no address.
    """
    try:
        outer = ip_address(address)
    except ValueError:
        return False
    return all(_is_plain_public(each) for each in (outer, _wrapped(outer)) if each is not None)


def _is_plain_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return True  # the address inside decides
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped or 6to4 address."""
    if isinstance(address, IPv4Address):
        return None
    return address.ipv4_mapped or address.sixtofour
