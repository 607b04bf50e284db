from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.rpc.errors import InvalidPageToken
from services.kit.rpc.paging import DEFAULT_SIZE, FIRST, Page, cut, parse


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list."""

    id: int


def read(rows: list[Row], page: Page) -> list[Row]:
    """Reads rows as a statement does: below a number, newest first, up to a limit."""
    below = sorted((row for row in rows if row.id < page.before), key=lambda row: -row.id)
    return below[: page.limit]


@given(st.sets(st.integers(1, FIRST - 1), max_size=60), st.integers(1, 7), st.text())
def test_the_pages_have_every_row_once(ids: set[int], size: int, scope: str) -> None:
    """A row could be repeated or left out, or the last page be empty."""
    rows = [Row(number) for number in ids]
    walked: list[int] = []
    token = ""
    while True:
        page = parse(size, token, scope=scope)
        shown, token = cut(read(rows, page), page)
        assert len(shown) <= size
        assert shown or not ids
        walked += [row.id for row in shown]
        if not token:
            break
    assert walked == sorted(ids, reverse=True)


@given(st.text(), st.text(), st.integers(1, FIRST))
def test_a_token_is_of_one_list(scope: str, other: str, number: int) -> None:
    """A token of another list, or with other filters, could skip rows without an error."""
    token = Page(1, FIRST, scope).token_after(number)
    assert parse(1, token, scope=scope).before == number
    if scope != other:
        with pytest.raises(InvalidPageToken):
            parse(1, token, scope=other)


@given(st.text(max_size=40))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    """A made-up token could end in an internal error."""
    if text:
        with pytest.raises(InvalidPageToken):
            parse(1, text, scope="bookings")


@given(st.integers(0, 21), st.sampled_from("Aa0-_="))
def test_a_tampered_token_reads_no_other_list(place: int, letter: str) -> None:
    """A changed token could read rows of another list."""
    token = Page(1, FIRST, "user ada").token_after(7)
    tampered = token[:place] + letter + token[place + 1 :]
    try:
        page = parse(1, tampered, scope="user ada")
    except InvalidPageToken:
        return
    assert page.scope == "user ada"


@pytest.mark.parametrize(("asked", "given_size"), [(0, DEFAULT_SIZE), (1, 1), (200, 200)])
def test_a_page_has_the_requested_size(asked: int, given_size: int) -> None:
    """A request without a size could get an empty page."""
    assert parse(asked, "", scope="").size == given_size


def test_a_list_that_fills_its_page_exactly_has_no_next_one() -> None:
    """A client could get a token for an empty page."""
    page = parse(2, "", scope="")
    assert cut(read([Row(1), Row(2)], page), page) == ([Row(2), Row(1)], "")
