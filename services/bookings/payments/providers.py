"""The payment providers that are configured."""

from collections.abc import Iterable

from services.bookings.errors import ProviderNotFound
from services.bookings.payments.provider import Provider
from services.kit.rpc.errors import Unavailable


class Providers:
    """Finds providers; the first one takes new payments."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._by_name = {provider.name: provider for provider in providers}

    def of_new_payments(self) -> Provider:
        """Returns the provider that takes new payments; raises Unavailable without any."""
        for provider in self._by_name.values():
            return provider
        raise Unavailable

    def named(self, name: str) -> Provider:
        """Returns a provider by its name. Raises ProviderNotFound."""
        if name not in self._by_name:
            raise ProviderNotFound
        return self._by_name[name]
