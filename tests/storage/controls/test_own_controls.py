"""A team's own controls: a folder of SQL files, each judged before it runs."""

from pathlib import Path

import pytest

from storage.controls import built_in, evaluate, load_controls
from storage.errors import StorageError
from storage.lake import Lake
from tests.lake_builder import span, write_lake

GOOD = """\
-- title: No tool is called at night
-- rationale: Nobody is there
--   to look.
SELECT record_id, run_id, started_at AS time, tool_name, CASE WHEN hour(started_at) < 6 THEN 'it ran at night' END AS problem
FROM tool_calls;
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "own"
    made.mkdir()
    return made


def test_an_own_control_is_asked_like_the_others(folder: Path, tmp_path: Path) -> None:
    """Its columns are the evidence, its header says what it is for."""
    (folder / "day_only.sql").write_text(GOOD)
    (folder / "README.md").write_text("not a control")
    write_lake(tmp_path / "data", spans=[span("t", step_kind="tool", tool_name="pay", at=-8 * 3600), span("u", step_kind="tool", at=60)])
    (control,) = load_controls(folder)
    assert (control.name, control.title, control.rationale) == ("day_only", "No tool is called at night", "Nobody is there to look.")
    with Lake.open(tmp_path / "data") as lake:
        (result,) = evaluate(lake, controls=[control])
    assert (result.checked, result.failed, result.reference) == (2, 1, None)
    assert (result.evidence[0]["tool_name"], result.evidence[0]["problem"]) == ("pay", "it ran at night")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.sql", "SELECT 1", "no `-- title: …`"),
        ("a.sql", "-- title: T\nSELECT 1", "no `-- rationale: …`"),
        ("A-b.sql", GOOD, "lower-case letters"),
        ("runs_end.sql", GOOD, "choose another"),
        ("a.sql", GOOD.replace("tool_calls", "read_parquet('/etc/x')"), "of the table functions only"),
        ("a.sql", "-- title: T\n-- rationale: R\nDROP TABLE runs", "only SELECT is allowed"),
        ("a.sql", GOOD.replace("< 6", "< $hour"), "has no parameters"),
        ("a.sql", GOOD.replace("FROM tool_calls;", "FROM tool_calls; SELECT 1"), "exactly one is allowed"),
        ("a.sql", GOOD.replace("FROM tool_calls;", "FROM tool_calls; -- the end"), "syntax error"),
    ],
)
def test_a_control_that_cannot_be_one_is_refused_by_name(folder: Path, name: str, text: str, says: str) -> None:
    """Before anything is asked: a control that does not run is no control that passes."""
    (folder / name).write_text(text)
    with pytest.raises(StorageError, match=name) as error:
        load_controls(folder)
    assert says in str(error.value)


def test_a_folder_without_controls_is_an_error(folder: Path) -> None:
    """A wrong path must not read as: nothing fails."""
    with pytest.raises(StorageError, match=r"no \.sql file"):
        load_controls(folder)
    with pytest.raises(StorageError, match="name a folder"):
        load_controls(folder / "missing")


@pytest.mark.parametrize(
    ("sql", "says"), [("SELECT run_id FROM runs", "problem"), ("SELECT run_id, nothing AS problem FROM runs", "nothing")]
)
def test_what_only_the_question_shows_names_the_control(folder: Path, tmp_path: Path, sql: str, says: str) -> None:
    """A column that is not there."""
    (folder / "short.sql").write_text(f"-- title: T\n-- rationale: R\n{sql}\n")
    write_lake(tmp_path / "data")
    with Lake.open(tmp_path / "data") as lake, pytest.raises(StorageError, match="short") as error:
        evaluate(lake, controls=load_controls(folder))
    assert says in str(error.value)


def test_a_name_that_no_control_has_is_an_error(tmp_path: Path) -> None:
    write_lake(tmp_path / "data")
    with Lake.open(tmp_path / "data") as lake, pytest.raises(StorageError, match="known are policy_before_side_effect"):
        evaluate(lake, names=["policy_before"])


def test_every_built_in_control_is_a_file_and_every_file_a_control() -> None:
    files = {path.stem for path in (Path(__file__).parents[3] / "storage/controls/sql").iterdir()}
    assert {control.name for control in built_in()} == files
