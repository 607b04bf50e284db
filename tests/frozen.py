"""Exempts what the server that forks has imported from garbage collection.

Each process collects garbage at its start. That would read, and so copy, the whole memory which it
shares with the server.
"""

import gc

gc.collect()
gc.freeze()
