from collections.abc import Mapping
from datetime import timedelta

import pytest

from services.bookings.errors import InvalidTicketCode
from services.bookings.tickets.codes import sign, verify
from services.bookings.tickets.keys import TicketKeys
from services.kit.database.postgres import Pool
from tests.services.bookings.tickets.test_codes import CODE


async def published(pool: Pool) -> Mapping[int, bytes]:
    """Returns the keys as a scanner that loads them now has them."""
    return {key.id: key.public_key for key in await TicketKeys(pool).list()}


async def test_a_rotation_keeps_what_former_keys_signed(pool: Pool) -> None:
    """Printed tickets would be useless after a rotation, or a scanner not know the new key."""
    printed = sign(CODE, await TicketKeys(pool).current())
    await TicketKeys(pool).rotate()
    keys = await published(pool)
    assert len(keys) == 2
    assert sign(CODE, await TicketKeys(pool).current()) == printed
    await TicketKeys(pool).rotate(lead=timedelta())
    fresh = sign(CODE, await TicketKeys(pool).current())
    assert fresh != printed
    keys = await published(pool)
    assert [verify(text, keys) for text in (printed, fresh)] == [CODE, CODE]


async def test_compromised_keys_are_not_trusted_any_longer(pool: Pool) -> None:
    """A stolen key could go on to sign valid tickets."""
    forged = sign(CODE, await TicketKeys(pool).current())
    await TicketKeys(pool).replace()
    with pytest.raises(InvalidTicketCode):
        verify(forged, await published(pool))
    assert verify(sign(CODE, await TicketKeys(pool).current()), await published(pool)) == CODE
