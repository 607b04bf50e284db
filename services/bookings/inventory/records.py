"""Rows of a table by their ids, as they were loaded and as decisions change them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from uuid import UUID


class Record(Protocol):
    """A row with a random id. Rows are compared by their values."""

    @property
    def id(self) -> UUID:
        """The id of the row."""


RecordT = TypeVar("RecordT", bound=Record)


@dataclass(slots=True)
class Records(Generic[RecordT]):
    """The rows that were loaded or made; their changes follow from the loaded ones."""

    _loaded: dict[UUID, RecordT] = field(default_factory=dict)
    _rows: dict[UUID, RecordT] = field(default_factory=dict)

    def __iter__(self) -> Iterator[RecordT]:
        """Lists the rows as they are now."""
        return iter(self._rows.values())

    def get(self, row_id: UUID) -> RecordT | None:
        """Returns a row as it is now; None if it was neither loaded nor made."""
        return self._rows.get(row_id)

    def load(self, row: RecordT) -> None:
        """Adds a stored row."""
        self._loaded[row.id] = self._rows[row.id] = row

    def put(self, row: RecordT) -> None:
        """Adds a row, or replaces the one with its id."""
        self._rows[row.id] = row

    def new(self) -> list[RecordT]:
        """Lists the rows to insert."""
        return [row for row_id, row in self._rows.items() if row_id not in self._loaded]

    def moved(self) -> Iterable[tuple[RecordT, RecordT]]:
        """Lists the rows to update, each as it was loaded and as it is now."""
        for row_id, before in self._loaded.items():
            if (row := self._rows[row_id]) != before:
                yield before, row

    @property
    def is_changed(self) -> bool:
        """Whether anything has to be saved."""
        return len(self._rows) > len(self._loaded) or any(True for _ in self.moved())
