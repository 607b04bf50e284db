"""The client's side of TLS for gRPC: a channel that is opened anew when its certificate changes."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import grpc

from services.kit.tls.files import Credentials, TlsFiles
from services.kit.tls.reloading import Reloading

Options = Sequence[tuple[str, str | int]]
ClientTls: TypeAlias = Reloading[grpc.ChannelCredentials]


def client_tls(files: TlsFiles | None) -> ClientTls | None:
    """Returns the credentials of a client: whom it trusts, and the certificate that it shows.

    Channels with the same credentials share connections. Raises UnusableFileError.
    """
    return None if files is None else Reloading(files, _credentials)


def _credentials(read: Credentials) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(read.ca, read.key, read.certificate)


class TlsChannel(grpc.aio.Channel):
    """A channel to `target` over TLS, for which a server must show a certificate of its name.

    A gRPC channel keeps the credentials that it was opened with. So after the files have changed,
    the next call opens a new channel; the former one is closed when its last call has ended.
    """

    def __init__(self, target: str, tls: ClientTls, options: Options) -> None:
        self._target = target
        self._options = options
        self._tls = tls
        self._opened = self._open(tls.current())
        self._former: set[_Opened] = set()

    def current(self) -> "_Opened":
        """Returns the channel for the next call."""
        newest = self._tls.current()
        if newest is not self._opened.credentials:
            former, self._opened = self._opened, self._open(newest)
            self._former.add(former)
            former.retire(self._former.discard)
        return self._opened

    def unary_unary(self, *args: Any, **named: Any) -> Any:
        """See grpc.aio.Channel."""
        return _Method(self, lambda channel: channel.unary_unary(*args, **named))

    def unary_stream(self, *args: Any, **named: Any) -> Any:
        """See grpc.aio.Channel."""
        return _Method(self, lambda channel: channel.unary_stream(*args, **named))

    def stream_unary(self, *args: Any, **named: Any) -> Any:
        """See grpc.aio.Channel."""
        return _Method(self, lambda channel: channel.stream_unary(*args, **named))

    def stream_stream(self, *args: Any, **named: Any) -> Any:
        """See grpc.aio.Channel."""
        return _Method(self, lambda channel: channel.stream_stream(*args, **named))

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """See grpc.aio.Channel."""
        return self._opened.channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """See grpc.aio.Channel."""
        await self._opened.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """See grpc.aio.Channel."""
        await self.current().channel.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """Closes the channels of all certificates; see grpc.aio.Channel."""
        channels = [self._opened, *self._former]
        await asyncio.gather(*(opened.channel.close(grace) for opened in channels))

    async def __aenter__(self) -> "TlsChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _open(self, credentials: grpc.ChannelCredentials) -> "_Opened":
        channel = grpc.aio.secure_channel(self._target, credentials, options=self._options)
        return _Opened(channel, credentials)


class _Opened:
    """A channel that was opened with some credentials, and the number of calls on it."""

    def __init__(self, channel: grpc.aio.Channel, credentials: grpc.ChannelCredentials) -> None:
        self.channel = channel
        self.credentials = credentials
        self._calls = 0
        self._closing: asyncio.Task[None] | None = None
        self._when_closed: Callable[[_Opened], None] | None = None

    def count(self, call: Any) -> None:
        """Counts a call until it ends."""
        self._calls += 1
        call.add_done_callback(self._ended)

    def retire(self, when_closed: Callable[["_Opened"], None]) -> None:
        """Closes the channel when its last call has ended, and calls back then."""
        self._when_closed = when_closed
        self._close_if_idle()

    def _ended(self, _: object) -> None:
        self._calls -= 1
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._when_closed is not None and not self._calls and self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self.channel.close())
            when_closed = self._when_closed
            self._closing.add_done_callback(lambda _: when_closed(self))


class _Method:
    """A method of the stub, on the channel that is current at each call."""

    def __init__(self, channel: TlsChannel, make: Callable[[grpc.aio.Channel], Any]) -> None:
        self._channel = channel
        self._make = make
        self._opened: _Opened | None = None
        self._method: Any = None

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Starts a call."""
        opened = self._channel.current()
        if opened is not self._opened:
            self._opened, self._method = opened, self._make(opened.channel)
        call = self._method(*args, **named)
        opened.count(call)
        return call
