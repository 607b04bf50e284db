import time

from services.kit.auth.credential_cache import CredentialCache
from services.kit.rpc.callers import Caller

ADA, BOB = Caller("acct_ada"), Caller("acct_bob")
LATER = float("inf")


def test_a_credential_is_cached_until_it_expires() -> None:
    """An expired credential could still be accepted."""
    cache = CredentialCache()
    cache.add("good", ADA, until=LATER)
    cache.add("over", BOB, until=time.time())
    assert cache.find("good") is ADA
    assert cache.find("over") is None
    assert cache.find("never seen") is None
    assert len(cache) == 1


def test_the_least_recently_used_credential_is_evicted() -> None:
    """Many credentials could fill the memory, or evict those in use."""
    cache = CredentialCache(size=2)
    for credential in ("first", "second"):
        cache.add(credential, ADA, until=LATER)
    cache.find("first")
    cache.add("third", ADA, until=LATER)
    assert [bool(cache.find(each)) for each in ("first", "second", "third")] == [True, False, True]


def test_credentials_of_some_subjects_are_forgotten() -> None:
    """A revoked credential could stay cached, or a revocation evict those of others."""
    cache = CredentialCache()
    cache.add("hers", ADA, until=LATER)
    cache.add("hers too", ADA, until=LATER)
    cache.add("his", BOB, until=LATER)
    cache.forget({"acct_ada"})
    assert (cache.find("hers"), cache.find("hers too"), cache.find("his")) == (None, None, BOB)
    cache.clear()
    assert len(cache) == 0
