"""The page of errors is made from the contract, and complete."""

import re

from gateway.contract import comments
from gateway.http.errors import TEMPLATES
from gateway.reference import error_page

ERRORS = error_page.error_codes(comments.load())


def test_every_code_is_explained() -> None:
    """Somebody who gets a code could not find out what to do."""
    templates = ((template.status, reason.lower()) for reason, template in TEMPLATES.items())
    expected = {(status, code) for status, code in templates if status}
    assert {(error.status, error.code) for error in ERRORS} == expected
    for error in ERRORS:
        assert re.fullmatch(r"[A-Z`][^.]*(\.[^. ][^.]*)*\.", error.meaning), error
        assert error.advice.endswith("."), error


def test_the_page_has_every_code_under_its_status() -> None:
    """A link to a code would lead to the top of the page."""
    page = error_page.page(comments.load()).decode()
    under = dict(re.findall(r'<h2 id="(\d+)">(.*?)</section>', page, re.DOTALL))
    for error in ERRORS:
        assert f'<div id="{error.code}">' in under[str(error.status)]


def test_words_of_the_contract_stay_text() -> None:
    """`Bearer <access_token>` would be read as an element of HTML, and vanish."""
    page = error_page.page(comments.load()).decode()
    assert "<code>Authorization: Bearer &lt;access_token&gt;</code>" in page
    assert "`" not in page
