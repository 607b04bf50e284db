"""The rooms that book: reservations, seats, the waiting list and the virtual queue."""

from boxoffice.bookings.v1 import (
    bookings_pb2_grpc,
    inventory_pb2_grpc,
    queue_pb2_grpc,
    seats_pb2_grpc,
    waiting_list_pb2_grpc,
)
from services.bookings.catalogue.availability import Availability
from services.bookings.catalogue.servicer import InventoryServicer
from services.bookings.queue.admissions import Admissions
from services.bookings.queue.queues import Queues
from services.bookings.queue.servicer import QueueLineServicer, QueueServicer
from services.bookings.queue.tail import QueueTail
from services.bookings.queue.watching import QueueWatches
from services.bookings.rankings.distributed import DistributedRankings
from services.bookings.rankings.rankings import Rankings
from services.bookings.reservations.cancellations import Cancellations
from services.bookings.reservations.reservations import Reservations
from services.bookings.reservations.servicer import BookingsServicer
from services.bookings.seats.servicer import SeatsServicer
from services.bookings.waiting_list import messages as waiting_list_messages
from services.bookings.waiting_list.notices import Notices
from services.bookings.waiting_list.servicer import WaitingListServicer
from services.bookings.wiring.core import Core, Workers
from services.kit.process.workers import repeat


def serve_bookings(core: Core) -> Workers:
    """Serves what books, by itself and in batches."""
    pool, inventory, catalogue = core.pool, core.inventory, core.catalogue
    open_access, server = core.open_access, core.service.grpc
    rankings = (DistributedRankings if core.settings.distributed else Rankings)(pool)
    queues = Queues(pool)
    availability = Availability(inventory, catalogue)

    bookings = BookingsServicer(pool, inventory, catalogue, rankings, open_access=open_access)
    bookings_pb2_grpc.add_BookingsServiceServicer_to_server(bookings, server)
    reservations = Reservations(inventory, catalogue)
    seats = SeatsServicer(pool, reservations, catalogue, core.plans, open_access=open_access)
    seats_pb2_grpc.add_SeatsServiceServicer_to_server(seats, server)
    waiting_list = WaitingListServicer(
        pool, inventory, catalogue, core.tail, open_access=open_access
    )
    waiting_list_pb2_grpc.add_WaitingListServiceServicer_to_server(waiting_list, server)
    queue = QueueServicer(queues, inventory, availability, open_access=open_access)
    queue_pb2_grpc.add_QueueServiceServicer_to_server(queue, server)
    for room in (bookings, waiting_list, seats, queue):
        core.service.add_batched(room.handlers)
    cancel = Cancellations(pool, inventory).cancel
    operators = InventoryServicer(inventory, core.follower, cancel)
    inventory_pb2_grpc.add_InventoryServiceServicer_to_server(operators, server)

    notices = Notices(pool, core.mailing(waiting_list_messages.notice))
    return (
        repeat(rankings.roll_up, every_seconds=rankings.EVERY_SECONDS),
        repeat(notices.send, every_seconds=1),
        *_queue_workers(core, queues, availability),
    )


def _queue_workers(core: Core, queues: Queues, availability: Availability) -> Workers:
    """Serves the positions in queues; returns the workers that admit and tell positions."""
    tail, admissions = QueueTail(core.tail_pool), Admissions(core.pool)
    line = QueueLineServicer(queues, QueueWatches(core.pool, tail), availability)
    queue_pb2_grpc.add_QueueLineServiceServicer_to_server(line, core.service.grpc)
    return (
        repeat(admissions.admit, every_seconds=1),
        repeat(admissions.draw, every_seconds=1),
        repeat(admissions.sweep, every_seconds=5),
        repeat(tail.follow, every_seconds=0.25),
        tail.end(core.service.is_stopping),
    )
