from tests.bench.batches import between

BEFORE = """
# TYPE boxoffice_batch_items histogram
boxoffice_batch_items_bucket{le="1.0",rpc="BatchReserve"} 7.0
boxoffice_batch_items_bucket{le="64.0",rpc="BatchReserve"} 7.0
boxoffice_batch_items_bucket{le="+Inf",rpc="BatchReserve"} 7.0
boxoffice_batch_items_sum{rpc="BatchReserve"} 7.0
boxoffice_batch_items_count{rpc="BatchReserve"} 7.0
boxoffice_batch_items_bucket{le="+Inf",rpc="BatchGetAvailability"} 3.0
boxoffice_batch_items_sum{rpc="BatchGetAvailability"} 3.0
boxoffice_batch_items_count{rpc="BatchGetAvailability"} 3.0
"""
AFTER = (
    BEFORE.replace('"1.0",rpc="BatchReserve"} 7', '"1.0",rpc="BatchReserve"} 8')
    .replace('"64.0",rpc="BatchReserve"} 7', '"64.0",rpc="BatchReserve"} 11')
    .replace('"+Inf",rpc="BatchReserve"} 7', '"+Inf",rpc="BatchReserve"} 11')
    .replace('sum{rpc="BatchReserve"} 7', 'sum{rpc="BatchReserve"} 128')
)


def test_batches_are_told_by_their_size() -> None:
    """Those of before and of an RPC that was not called do not count."""
    [(rpc, batches)] = between(BEFORE, AFTER)
    assert rpc == "BatchReserve"
    assert str(batches) == "30 a batch; of at most 1: 25 %, 64: 75 %"
