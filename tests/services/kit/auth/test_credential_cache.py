import time

from services.kit.auth.credential_cache import CredentialCache
from services.kit.rpc.callers import Caller

ADA, BOB = Caller("acct_ada"), Caller("acct_bob")
LATER = float("inf")


def test_a_credential_is_known_until_its_time_is_over() -> None:
    """Not a moment longer than whoever vouched for it said."""
    known = CredentialCache()
    known.add("good", ADA, until=LATER)
    known.add("over", BOB, until=time.time())
    assert known.find("good") is ADA
    assert known.find("over") is None
    assert known.find("never seen") is None
    assert len(known) == 1


def test_the_longest_unused_make_room() -> None:
    """However many credentials there are, the memory for them is bounded."""
    known = CredentialCache(size=2)
    for credential in ("first", "second"):
        known.add(credential, ADA, until=LATER)
    known.find("first")
    known.add("third", ADA, until=LATER)
    assert [bool(known.find(each)) for each in ("first", "second", "third")] == [True, False, True]


def test_those_of_some_subjects_are_forgotten() -> None:
    """What was revoked is looked into again; the others stay."""
    known = CredentialCache()
    known.add("hers", ADA, until=LATER)
    known.add("hers too", ADA, until=LATER)
    known.add("his", BOB, until=LATER)
    known.forget({"acct_ada"})
    assert (known.find("hers"), known.find("hers too"), known.find("his")) == (None, None, BOB)
    known.clear()
    assert len(known) == 0
