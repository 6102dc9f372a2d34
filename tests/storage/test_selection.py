"""Which rows an order or a hold means."""

import json
import unicodedata
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pytest

from storage.derivations import Publisher
from storage.errors import QueryRefused, StorageError
from storage.person import mentioned
from storage.schema import CANONICAL, DERIVATION
from storage.selection import Selector, select
from tests.lake_builder import START_NS, event, metric, span, write_lake

ALICE = "<EMAIL_ADDRESS:00aa11bb22cc33dd>"
KEYS = ("user.id", "session.id")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of Alice's, one of Bob's, one of both, and what is outside of runs."""
    data = tmp_path_factory.mktemp("lake")
    write_lake(
        data,
        spans=[
            span("root", run="alice", trace="t1", actor=ALICE, tenant="acme"),
            span("tool", run="alice", trace="t1", tenant="acme"),
            span("root", run="bob", trace="t2", actor="bob", tenant="acme"),
            span("mail", run="bob", trace="t2", attributes={"to": f"copy of {ALICE}"}, tenant="acme"),
            span("ask", run="both", trace="t3", actor=ALICE.lower(), tenant="globex"),
            span("step", run="both", trace="t3", tenant="globex"),
            span("ask", run="both", trace="t4", actor="bob", tenant="globex"),
            span("step", run="both", trace="t4", tenant="globex"),
        ],
        events=[
            event("note", run=None, trace="t9", body=f"'{ALICE}' called"),
            event("login", run=None, trace="t9", attributes={"session.id": ALICE}),
            event("read", run="alice", trace="t1", scope_name="auditlake.access", tenant="acme"),
            event("other", run=None, trace="t9", body="nobody"),
        ],
        metrics=[metric("calls", tenant="acme", run_id="alice"), metric("calls", at=86_400, tenant="globex")],
        trace_runs={"t8": "alice"},
    )
    write_lake(data, spans=[span("joined", run="t8", trace="t8")], origin="node/other")
    return data


def found(data: Path, **said: object) -> set[str]:
    """The places of a selection, as table and row; rows of the other origin with its name."""
    selection = select(data, Selector(**said), identity_keys=KEYS)  # type: ignore[arg-type]
    return {f"{table}/{row}" if origin == "node/collector" else f"{origin}/{row}" for table, (origin, _, row) in selection.rows.places()}


def test_a_person_is_found_under_keys_in_runs_and_in_texts(lake: Path) -> None:
    """Steps of a run that name nobody belong to whom the run belongs, in a run of several by trace; a mention takes its own row only."""
    own, mentioned = {"spans/0", "spans/1", "spans/4", "spans/5", "events/9", "metrics/12"}, {"spans/3", "events/8"}
    assert found(lake, actors=(ALICE,)) == own | mentioned | {"node/other/0"}


def test_a_name_is_found_however_it_is_written(tmp_path: Path) -> None:
    """As Python and JavaScript write JSON, inside of JSON again, in a URL or a form, composed and decomposed, whatever its case."""
    name = "Jörg Müller"
    escaped = json.dumps({"who": name})
    texts = [
        name.upper(), escaped, json.dumps({"body": escaped}), json.dumps(name.upper()), f"q={quote_plus(name)}&x=1", quote(name),
        unicodedata.normalize("NFD", name), json.dumps(unicodedata.normalize("NFD", name)),
    ]  # fmt: skip
    write_lake(tmp_path, spans=[span("s", run=None, attributes={"said": text}) for text in [*texts, "Jörg Müllerson", "Jorg Muller"]])
    assert found(tmp_path, actors=(name,)) == {f"spans/{row}" for row in range(len(texts))}


def test_a_short_name_is_not_looked_for_inside_of_texts(lake: Path) -> None:
    """Too many others would be hit."""
    assert found(lake, actors=("bob",)) == {"spans/2", "spans/3", "spans/6", "spans/7"}


def test_a_run_is_found_by_its_final_name(lake: Path) -> None:
    """What auditlake wrote about a run stays: who read it is another matter."""
    assert found(lake, run="alice") == {"spans/0", "spans/1", "metrics/12", "node/other/0"}


def test_a_derivation_goes_with_its_row_and_the_row_with_a_derivation_that_names_somebody(tmp_path: Path) -> None:
    """What readers see of a row may name a person whom the sealed row does not."""
    write_lake(tmp_path, spans=[span("a", run=None, actor=ALICE), span("b", run=None), span("c", run=None)])
    derivation = {"of_table": "spans", "of_origin": "node/collector", "of_entry": 1, "trace_id": "trace-1", "time_ns": START_NS}
    rows = [derivation | {"of_row": 0, "derived_ns": 1}, derivation | {"of_row": 1, "derived_ns": 1, "actor": ALICE}]
    with closing(Publisher(tmp_path, "node")) as publisher:
        publisher.publish(pa.Table.from_pylist(rows, schema=pa.schema([*DERIVATION, *CANONICAL])), now_ns=START_NS, runs={})
    assert found(tmp_path, actors=(ALICE,)) == {"spans/0", "spans/1", "node/rederive/0", "node/rederive/1"}


def test_criteria_narrow_each_other(lake: Path) -> None:
    """A tenant, a tenant and a time, a tenant and a predicate."""
    assert found(lake, tenant="globex") == {"spans/4", "spans/5", "spans/6", "spans/7", "metrics/13"}
    assert found(lake, tenant="globex", from_ns=START_NS + 3_600 * 10**9) == {"metrics/13"}
    assert found(lake, tenant="globex", where="name = 'ask' -- of spans alone") == {"spans/4", "spans/6"}


def test_what_selects_nothing_or_is_no_condition_is_refused(lake: Path) -> None:
    """A hold that says nothing would hold everything."""
    with pytest.raises(StorageError, match="say whose or which"):
        select(lake, Selector())
    with pytest.raises(QueryRefused):
        select(lake, Selector(where="there_is_no_such_column = 1"))


def test_a_predicate_that_fails_on_a_row_finds_nothing_rather_than_less(lake: Path) -> None:
    """Else a hold would let go what it means, and nobody would know."""
    with pytest.raises(QueryRefused, match="convert") as raised:
        select(lake, Selector(where="CAST(attributes['to'] AS INTEGER) > 5"))
    assert "copy" not in str(raised.value)
    assert found(lake, where="TRY_CAST(attributes['to'] AS INTEGER) > 5") == set()


def test_a_selector_is_kept_as_text() -> None:
    """What says nothing is left out."""
    selector = Selector(actors=("a", "b"), from_ns=3)
    assert Selector.from_json(selector.to_json()) == selector
    assert selector.to_json() == '{"actors":["a","b"],"from_ns":3}'


def test_a_run_is_found_in_a_text_as_a_word_or_as_a_whole_value() -> None:
    """A short one, or a short name, as a whole value alone: others would be hit."""
    has = mentioned(("bob",), ["r1", "7D9F0C6E", "user:4/é"])
    labels = json.dumps({"labels": json.dumps({"run_id": "r1"})})
    for text in (labels, "bob", '{"user": "Bob"}', "see http://x/run?run=7d9f0c6e&y", json.dumps({"run": "user:4/é"}), "user:4/é"):
        assert has(text), text
    for text in ("", '{"run_id": "r12", "n": "7d9f0c6e0"}', "bob and r1", '{"said": "r1 ended"}'):
        assert not has(text), text
