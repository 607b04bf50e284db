"""Words of texts and of searches, folded so that case, accents and ligatures do not matter.

Both the tsvector and the tsquery are written here as text. PostgreSQL's parser would cut words such
as `4e8xq` in two; a folded word has letters and digits alone, so it carries no syntax.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

LONGEST = 100
"""Characters of a word that count."""
MOST = 5_000
"""Words of a movie that count. Positions of a tsvector end at 16,383."""
_WORD = re.compile(r"[^\W_]+")
_PLAIN = str.maketrans(
    {
        "ł": "l",
        "đ": "d",
        "ø": "o",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ð": "d",
        "\u0131": "i",
        "ħ": "h",
    }
)


def fold(text: str) -> list[str]:
    """Returns the words of a text without case, accents and ligatures, in their order."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return [word[:LONGEST] for word in _WORD.findall(bare.translate(_PLAIN))]


def tsvector(texts: Mapping[str, Iterable[str]]) -> str:
    """Writes the words of texts as a tsvector. `texts` has them by their weight, A to D."""
    weighted = [
        (word, weight) for weight, parts in texts.items() for text in parts for word in fold(text)
    ]
    return " ".join(
        f"'{word}':{position}{weight}" for position, (word, weight) in enumerate(weighted[:MOST], 1)
    )


def tsquery(words: Sequence[str]) -> str:
    """Writes folded words as a tsquery for all of them, the last one as a prefix."""
    return " & ".join(f"'{word}'" for word in words) + ":*" if words else ""
