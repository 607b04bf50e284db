"""What the server that forks processes does once it has imported everything.

It exempts that from garbage collection: each process collects garbage at its start, which would
read, and so copy, the whole memory that it shares with the server. And it ends with the tests, even
if they are killed.
"""

import gc
import signal

from deploy.local import parent_death

gc.collect()
gc.freeze()
parent_death.request(signal.SIGKILL)
