"""The corpus: samples in an endless order in which credentials, personal data and negatives take turns.

Sample *n* of a seed depends on nothing but the seed and *n*, so a longer corpus begins with the shorter one.
"""

import hashlib
from collections.abc import Iterator
from random import Random

from benchmarks.corpus import mentions, negatives, personal, persons, structures, traffic
from benchmarks.corpus.contextual import CONTEXTUAL
from benchmarks.corpus.credentials import BUSINESS, CLOUD, CODE, Credential
from benchmarks.corpus.marks import Sample, mark, sample
from benchmarks.corpus.model_keys import MODELS

ATTRIBUTE_KEYS = ("http.request.header.x-{}", "app.{}", "{}", "config.{}")

Maker = Credential | structures.Write


def by_entity() -> dict[str, tuple[Maker, ...]]:
    """Return the makers of texts with credentials, by entity, so that each entity has its turn."""
    makers: dict[str, tuple[Maker, ...]] = {}
    for credential in (*CLOUD, *CODE, *BUSINESS, *MODELS, *CONTEXTUAL):
        makers[credential.entity] = (*makers.get(credential.entity, ()), credential)
    for entity, write in structures.STRUCTURES:
        makers[entity] = (*makers.get(entity, ()), write)
    return makers


CREDENTIALS = by_entity()
ENTITIES = tuple(sorted(CREDENTIALS))
PERSONAL = (*personal.DATA, None)
"""None: names of persons."""


def samples(seed: int, count: int) -> Iterator[Sample]:
    """Yield the first `count` samples of a seed."""
    for number in range(count):
        rng = Random(f"auditlake/{seed}/{number}")
        turn, kind = divmod(number, 3)[::-1]
        yield (credential, datum, negative)[turn](rng, kind)


def credential(rng: Random, turn: int) -> Sample:
    """Return a sample with a credential of the entity whose turn it is."""
    maker = rng.choice(CREDENTIALS[ENTITIES[turn % len(ENTITIES)]])
    if not isinstance(maker, Credential):
        return inside(rng, structures.placed(rng, maker(rng)), None, "structure")
    if maker.named and rng.random() < 0.06:
        key = rng.choice(ATTRIBUTE_KEYS).format(mentions.snake(rng.choice(maker.names)))
        return sample(mark(maker.entity, rng.choice(maker.makes)(rng)), key, "attribute/plain")
    text, style = mentions.text_of(rng, maker)
    return inside(rng, text, None, style)


def datum(rng: Random, turn: int) -> Sample:
    """Return a sample with personal data of the kind whose turn it is."""
    kind = PERSONAL[turn % len(PERSONAL)]
    text, key, style = persons.text_of(rng) if kind is None else personal.text_of(rng, kind)
    return inside(rng, text, key, style)


def inside(rng: Random, text: str, key: str | None, style: str) -> Sample:
    """Return the text in some telemetry; as it is where its own key matters."""
    if key is not None:
        return sample(text, key, f"{style}/plain")
    text, key, form = traffic.wrapped(rng, text)
    return sample(text, key, f"{style}/{form}")


def negative(rng: Random, turn: int) -> Sample:
    """Return a sample in which nothing is to be removed; one in three inside the telemetry that the others stand in."""
    what = negatives.KINDS[turn % len(negatives.KINDS)]
    text, tokens = negatives.text_of(rng, what)
    key: str | None = rng.choice(traffic.PLAIN_KEYS)
    if rng.random() < 0.33:
        wrapped, found, form = traffic.wrapped(rng, text)
        if form != "mail":  # a mail has addresses in its head
            text, key = wrapped, found
    return sample(text, key, f"negative:{what}", tokens)


def digest(seed: int, count: int) -> str:
    """Return the SHA-256 over the samples, by which the corpus is frozen."""
    total = hashlib.sha256()
    for one in samples(seed, count):
        total.update(
            repr((one.text, one.key, [(label.start, label.end, label.entity) for label in one.labels], one.kind, one.tokens)).encode()
        )
    return total.hexdigest()
