from hypothesis import given
from hypothesis import strategies as st

from services.events.movies.words import fold, tsquery, tsvector


def test_case_accents_and_ligatures_do_not_matter() -> None:
    """A search could miss a title because of its case, accents or ligatures."""
    assert fold("Łódź: Æon-ﬂux (ÜBER) Straße") == ["lodz", "aeon", "flux", "uber", "strasse"]
    assert fold("4e8xq 1984 don't_stop") == ["4e8xq", "1984", "don", "t", "stop"]


def test_a_text_keeps_weights_and_positions() -> None:
    """A word of the title could count no more than one of the description."""
    assert tsvector({"A": ["The Storm"], "C": ["A storm."]}) == (
        "'the':1A 'storm':2A 'a':3C 'storm':4C"
    )


def test_the_last_word_of_a_search_is_a_prefix() -> None:
    """A search could find nothing until the last word is complete."""
    assert tsquery(fold("the sto")) == "'the' & 'sto':*"
    assert tsquery([]) == ""


@given(st.text())
def test_folded_words_carry_no_syntax(text: str) -> None:
    """A quote or an operator in a search could end in an error of the database."""
    assert all(word.isalnum() for word in fold(text))
