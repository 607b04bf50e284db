import pytest

from tests.docs.pictures import FOLDER, pictures


@pytest.mark.parametrize(("name", "text"), pictures().items(), ids=pictures())
def test_pictures_are_those_of_the_algorithm(name: str, text: str) -> None:
    """The document shows seats that are no longer chosen: `make pictures` draws them again."""
    assert (FOLDER / name).read_text(encoding="utf-8") == text
