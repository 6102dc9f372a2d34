"""The corpus of redaction's quality: frozen, labelled where the values stand, made of values whose checksums are right."""

from collections import Counter
from random import Random

import pytest

from benchmarks.corpus import DEFAULT_COUNT, DEFAULT_SEED, DIGEST, HELD_OUT_SEED
from benchmarks.corpus.finance import bitcoin, card_digits, iban
from benchmarks.corpus.generate import ENTITIES, digest, samples
from benchmarks.corpus.letters import ALNUM, base58check, bech32, crc_token, five_bits, luhn_digit
from benchmarks.corpus.marks import CLOSE, OPEN, TOLERATED, Label, Sample, mark, sample
from benchmarks.corpus.traffic import dumped


@pytest.fixture(scope="module")
def corpus() -> list[Sample]:
    return list(samples(DEFAULT_SEED, DEFAULT_COUNT))


def test_the_corpus_is_frozen() -> None:
    """A figure that was measured on it is only worth something while nobody has changed it."""
    assert digest(DEFAULT_SEED, DEFAULT_COUNT) == DIGEST


def test_a_shorter_corpus_is_the_beginning_of_a_longer_one(corpus: list[Sample]) -> None:
    assert list(samples(DEFAULT_SEED, 50)) == corpus[:50]


def test_the_held_out_samples_are_others(corpus: list[Sample]) -> None:
    assert not {one.text for one in samples(HELD_OUT_SEED, 300) if len(one.text) > 60} & {one.text for one in corpus}


def test_labels_stand_in_order_and_hold_no_marks(corpus: list[Sample]) -> None:
    for one in corpus:
        places = [place for label in one.labels for place in (label.start, label.end)]
        assert places == sorted(places)
        assert all(label.start < label.end <= len(one.text) for label in one.labels)
        assert not set(one.text) & {OPEN, CLOSE}


def test_every_sample_that_is_no_negative_has_a_label_and_no_negative_has_one(corpus: list[Sample]) -> None:
    for one in corpus:
        assert one.kind.startswith("negative:") != any(label.entity != TOLERATED for label in one.labels)


def test_there_is_enough_of_everything(corpus: list[Sample]) -> None:
    """At least 65 kinds of credentials with fifty labels each, and a hundred thousand negative tokens."""
    labels = Counter(label.entity for one in corpus for label in one.labels)
    assert len(ENTITIES) >= 65
    assert min(labels[entity] for entity in ENTITIES) >= 50
    assert sum(one.tokens for one in corpus) >= 100_000


def test_a_label_follows_its_value_through_escapes() -> None:
    made = sample(dumped(Random(2), {"arguments": dumped(Random(3), {"text": mark("GENERIC_SECRET", 'a"b\nc')})}), None, "test")
    label = made.labels[0]
    assert made.text[label.start : label.end] == r"a\\\"b\\nc"
    assert label == Label(label.start, label.end, "GENERIC_SECRET")


def test_checksums_of_known_values() -> None:
    """Examples of the specifications: Luhn (ISO/IEC 7812-1), the genesis address, BIP 173."""
    assert luhn_digit("7992739871") == "3"
    genesis = bytes.fromhex("0062e907b15cbf27d5425399ebf6f0fb50ebb88f18")  # pragma: allowlist secret
    assert base58check(genesis) == "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    program = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")
    assert bech32("bc", [0, *five_bits(program)], 1) == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # pragma: allowlist secret


def test_random_values_pass_their_checks() -> None:
    rng = Random(1)
    for _ in range(200):
        number = card_digits(rng)
        assert luhn_digit(number[:-1]) == number[-1]
        account = "".join(c for c in iban(rng) if c.isalnum())
        assert int("".join(str(int(c, 36)) for c in account[4:] + account[:4])) % 97 == 1
        assert bitcoin(rng)[:1] in "13bB"
        assert set(crc_token(rng, "")) <= set(ALNUM)
