"""The gate of terraform/: the real terraform and the google provider's real schema, no cloud.

HashiCorp's registry and a Google account are what such a check usually needs. Here a provider of
our own answers terraform on this machine. It knows the schema, from Google's bindings on PyPI, and
nothing else: it has no rules about which arguments exclude each other, no number ranges, no name
patterns, and no idea of what forces a replacement. The first plan in a real project still decides.
"""
