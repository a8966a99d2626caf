"""Everything with a meaning. See the README for the map."""

import gc

# Imports alone make some hundred thousand objects that last. At Python's own thresholds the
# collector walks through them dozens of times: a seventh of the CPU of a cold start.
gc.set_threshold(50_000, 20, 50)
