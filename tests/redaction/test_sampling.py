"""The redactor that counts answers as the other one does, and knows how often the cache had the answer."""

import asyncio
from collections.abc import Callable

from redaction.redactor import Redactor
from redaction.sampling import Sampled


def test_a_text_is_new_once_and_known_afterwards(make_redactor: Callable[..., Redactor]) -> None:
    redactor = make_redactor()
    sampled = Sampled(redactor)
    for _ in range(4):
        assert sampled.lookup("nothing in it", "note") == redactor.lookup("nothing in it", "note")
    assert (sampled.lookups, sampled.hits) == (4, 3)


def test_what_others_look_up_counts_neither_way(make_redactor: Callable[..., Redactor]) -> None:
    """Only a sample of the requests goes through it."""
    redactor = make_redactor()
    sampled = Sampled(redactor)
    redactor.lookup("seen before", "note")
    sampled.lookup("seen before", "note")
    assert (sampled.lookups, sampled.hits) == (1, 1)


def test_it_is_the_same_policy(redactor: Redactor) -> None:
    sampled = Sampled(redactor)
    assert sampled.policy_hash == redactor.policy_hash
    assert sampled.for_subject("somebody") is sampled, "nothing depends on whose data it is"
    assert sampled.blocked("db.password") is redactor.blocked("db.password")
    assert sampled.capture("acme", "prod") is None
    assert asyncio.run(sampled.clean([])) == []
