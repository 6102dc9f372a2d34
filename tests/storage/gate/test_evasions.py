"""What a release that wants through could do without, and the gate sees all the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import contract as contracts
from storage.contract import TraceContract
from storage.gate import Question, Scope, Thresholds, Verdict, closed, document, judge, markdown
from storage.gate.obligations import check_contract
from storage.gate.reading import read_releases
from storage.lake import Lake
from tests.lake_builder import START_NS, event, model, span, write_lake

LATER_NS = START_NS + 86_400 * 1_000_000_000
BARE = Thresholds(controls=("runs_end",), min_samples=5, checks={"contract_gap_rate": False})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Release 1 as it should be; 2 keeps back what its tools do; of half of 3 the root never came; 4 was judged late; most runs of 5 lack
    a price."""
    spans = [row for release in "12345" for number in range(10) for row in run(release, number)]
    data = tmp_path_factory.mktemp("evasions")
    evals = [
        event("gen_ai.evaluation.result", run=f"4-{number}", at=20_000, step_kind="eval", eval_name="safety", eval_score=0.9)
        for number in range(10)
    ]
    write_lake(data, spans=spans, events=evals)
    with Lake.open(data, clock=lambda: LATER_NS) as opened:
        yield opened


def run(release: str, number: int) -> Iterator[dict[str, Any]]:
    name = f"{release}-{number}"
    common: dict[str, Any] = {"run": name, "trace": name, "release": release, "at": number * 10.0}
    stated: dict[str, Any] = {} if release == "2" and number == 3 else {"side_effect": "external", "requires_approval": True}
    if not (release == "3" and number % 2):
        yield span("work", id=f"{name}-root", step_kind="agent", status_code=1, took=2 + number / 10, **common)
    price = None if release == "5" and number % 3 else 0.01
    yield model("chat", id=f"{name}-chat", parent=f"{name}-root", cost=price, **common)
    yield span("pay", id=f"{name}-tool", parent=f"{name}-root", step_kind="tool", tool_name="pay", **common, **stated)


def ask(lake: Lake, release: str, baseline: str | None = "1", rules: Thresholds = BARE) -> Verdict:
    return judge(lake, Question(release=release, baseline=baseline, thresholds=rules))


def test_calls_that_no_longer_say_what_they_do_close_the_gate(lake: Lake) -> None:
    assert [reason for reason in ask(lake, "2").reasons if reason.startswith("tool")] == [
        "tool pay: 1 calls do not state its side effect, as every call of the baseline does",
        "tool pay: 1 calls do not state whether it needs an approval, as every call of the baseline does",
    ]
    assert not [reason for reason in ask(lake, "4").reasons if reason.startswith("tool")]


def test_runs_without_a_price_are_not_left_out_in_silence(lake: Lake) -> None:
    found = {check.name: (check.state, check.reason) for check in ask(lake, "5").checks}
    assert found["cost_usd"] == ("not enough data", "known of 40% of the release's runs, and of 100% of the baseline's")
    assert found["tokens"][0] == "passed"


def test_runs_that_were_cut_off_are_no_successes(lake: Lake) -> None:
    """Their root never came: an agent that is killed exports what was in it, and not itself."""
    found = document(ask(lake, "3"))
    assert {name: found["data"]["release"][name] for name in ("ok", "abandoned")} == {"ok": 5, "abandoned": 5}
    assert found["checks"][0]["release"]["value"] == 0.5


def test_evaluations_of_a_run_count_whenever_they_were_made(lake: Lake) -> None:
    assert len(read_releases(lake, ["4"], Scope(), gaps=False)["4"].evaluations["safety"]) == 10


def test_a_control_that_found_nothing_is_not_passed(lake: Lake) -> None:
    rules = BARE.model_copy(update={"controls": ("memory_retention", "runs_end")})
    assert [control["state"] for control in document(ask(lake, "1", None, rules))["controls"]] == ["not applicable", "passed"]


def test_a_run_that_the_contract_cannot_be_asked_about_does_not_keep_it(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text("name: c\n")
    asked = contracts.check

    def check(lake: Lake, run_id: str, contract: TraceContract | None = None) -> object:
        return None if run_id == "1-3" else asked(lake, run_id, contract)

    monkeypatch.setattr(contracts, "check", check)
    found = check_contract(lake, path, read_releases(lake, ["1"], Scope(), gaps=False)["1"], BARE)
    assert (found.passed, found.reason) == (False, "1 of 10 runs could not be checked")


def test_a_damaged_file_of_another_day_closes_the_gate(tmp_path: Path) -> None:
    """What is left of a release says nothing of the days on which the rest of it was; only the question's time does."""
    day = 5 * 86_400
    write_lake(tmp_path, spans=[row for number in range(8) for row in run("1", number)])
    (bad,) = write_lake(tmp_path, spans=[span("x", run="lost", trace="t9", release="1", at=-day)])
    (tmp_path / bad.path).write_bytes(b"PAR1 not")
    with Lake.open(tmp_path, clock=lambda: LATER_NS) as opened:
        assert any(bad.path in reason for reason in ask(opened, "1", None).reasons)


def test_names_from_records_write_no_report_of_their_own() -> None:
    name = "x\n\n# Release gate: open | <b>"
    text = markdown(document(closed(Question(release=name), f"eval:{name}: failed")))
    assert text.count("# Release gate: open") == 2
    assert "\n# Release gate: open" not in text
    assert "<b>" not in text


def test_a_denial_in_other_words_is_a_denial(tmp_path: Path) -> None:
    said = ("deny", " Denied", "REFUSED", "forbid", "decline", "allow")
    decisions = [
        event("policy.decision", run="1-0", trace="1-0", release="1", step_kind="policy", decision=word, at=number)
        for number, word in enumerate(said)
    ]
    write_lake(tmp_path, spans=list(run("1", 0)), events=decisions)
    with Lake.open(tmp_path, clock=lambda: LATER_NS) as opened:
        (row,) = read_releases(opened, ["1"], Scope(), gaps=False)["1"].runs
    assert (row["decisions"], row["denials"]) == (6, 5)
