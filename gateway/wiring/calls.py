"""How the RPC of each endpoint is called."""

from collections.abc import Callable, Mapping
from functools import partial

from gateway.contract.bindings import Binding
from gateway.live.event_stream import WATCH_EVENT, WatchCall
from gateway.live.hub import Hub
from gateway.rpc.batch import BatchedRpc, Batches
from gateway.rpc.call import Call, RetryBudget, Rpc, UnaryCall, rpc
from gateway.rpc.merging import MergedAudit
from gateway.rpc.stream import StreamingCall
from gateway.services import AUDIT, process_of
from gateway.settings import Settings
from gateway.wiring.channels import Channels, by_process


def calls(settings: Settings, channels: Channels, hub: Hub) -> Callable[[Binding], Call]:
    """Returns a function that finds how the RPC of a binding is called."""
    seconds = settings.deadline_seconds
    unary = partial(UnaryCall, budget=RetryBudget(), deadline_seconds=seconds)
    find_rpc = _rpcs(settings, channels)
    event_streams: Mapping[str, Call] = {WATCH_EVENT: WatchCall(hub)}

    def find(binding: Binding) -> Call:
        if binding.has_events:
            return event_streams[binding.rpc_path]
        if binding.is_stream:
            channel = channels[binding.rpc.containing_service]
            return StreamingCall(binding, channel, first_seconds=seconds)
        if binding.rpc.containing_service is AUDIT:
            named = by_process(channels).items()
            return MergedAudit({name: unary(binding, rpc(binding, each)) for name, each in named})
        return unary(binding, find_rpc(binding))

    return find


def _rpcs(settings: Settings, channels: Channels) -> Callable[[Binding], Rpc]:
    """Returns a function that finds the RPC of a binding; RPCs of a service share batches."""
    batches = {
        name: Batches(name, channel, at_once=settings.batch_size, waiting=settings.max_waiting)
        for name, channel in by_process(channels).items()
    }

    def find(binding: Binding) -> Rpc:
        service = binding.rpc.containing_service
        unary = rpc(binding, channels[service])
        if not binding.rule.batched or settings.batch_size <= 1:
            return unary
        return BatchedRpc(binding, batches[process_of(service)], unary)

    return find
