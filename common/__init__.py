"""Everything with a meaning. See the README for the map."""

import gc
import os

# Imports alone make some hundred thousand objects that last. At Python's own thresholds the
# collector walks through them dozens of times: a seventh of the CPU of a cold start.
gc.set_threshold(50_000, 20, 50)
# A worker shares them with the process that it was forked from until its first full collection,
# minutes later, writes into each: 16 MB of copies. What is frozen is not looked at again.
os.register_at_fork(before=gc.freeze)
