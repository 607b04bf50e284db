from tests.bench.batches import between

BEFORE = """
# TYPE boxoffice_batch_items histogram
boxoffice_batch_items_bucket{le="1.0",lane="bookings.writes"} 7.0
boxoffice_batch_items_bucket{le="64.0",lane="bookings.writes"} 7.0
boxoffice_batch_items_bucket{le="+Inf",lane="bookings.writes"} 7.0
boxoffice_batch_items_sum{lane="bookings.writes"} 7.0
boxoffice_batch_items_count{lane="bookings.writes"} 7.0
boxoffice_batch_items_bucket{le="+Inf",lane="bookings.reads"} 3.0
boxoffice_batch_items_sum{lane="bookings.reads"} 3.0
boxoffice_batch_items_count{lane="bookings.reads"} 3.0
"""
AFTER = (
    BEFORE.replace('"1.0",lane="bookings.writes"} 7', '"1.0",lane="bookings.writes"} 8')
    .replace('"64.0",lane="bookings.writes"} 7', '"64.0",lane="bookings.writes"} 11')
    .replace('"+Inf",lane="bookings.writes"} 7', '"+Inf",lane="bookings.writes"} 11')
    .replace('sum{lane="bookings.writes"} 7', 'sum{lane="bookings.writes"} 128')
)


def test_shares_of_batch_sizes_between_two_readings() -> None:
    """Batches from before, or of an unused queue, could count into the figures."""
    [(lane, batches)] = between(BEFORE, AFTER)
    assert lane == "bookings.writes"
    assert str(batches) == "30 a batch; of at most 1: 25 %, 64: 75 %"
