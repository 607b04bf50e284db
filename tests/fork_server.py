"""What the server that forks processes does once it has imported everything.

It exempts that from garbage collection: each process collects garbage at its start, which would
read, and so copy, the whole memory that it shares with the server. What gateways make of the
contract they share, too. And it ends with the tests, even if they are killed.
"""

import gc
import signal

from deploy.local import parent_death
from gateway.contract import comments
from gateway.contract.reader import read_bindings
from gateway.reference import openapi
from gateway.services import SERVICES

openapi.document(read_bindings(SERVICES), comments.load())
gc.collect()
gc.freeze()
parent_death.request(signal.SIGKILL)
