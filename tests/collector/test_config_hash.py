"""One hash of a configuration: the same in every process, another one for whatever changes; the last one is remembered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.config import DEFAULT, load, parse
from collector.config_hash import config_hash, remember, remembered

ROOT = Path(__file__).parents[2]
PRINTED = "from collector.config import *; from collector.config_hash import config_hash; print(config_hash(parse(DEFAULT, 'x', {})))"


def of(text: str, **environ: str) -> str:
    return config_hash(parse(text, "test", environ))


def test_processes_agree_whatever_their_order_of_sets() -> None:
    line = [sys.executable, "-c", PRINTED]
    ended = subprocess.run(line, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == of(DEFAULT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seal_interval: 1s", "seal_interval: 2s"),
        ("score_threshold: 0.4", "score_threshold: 0.5"),
        ("limit_mib: 1024", "limit_mib: 1025"),
        ("[health_check, alerts, dashboard]", "[alerts, dashboard]"),
        ("service:\n", "service:\n  audit_reads: required\n"),
    ],
)
def test_whatever_changes_changes_the_hash(old: str, new: str) -> None:
    assert of(DEFAULT.replace(old, new)) != of(DEFAULT)


def test_comments_and_names_do_not_count_and_values_of_variables_do() -> None:
    assert of(f"# said otherwise\n{DEFAULT}") == of(DEFAULT)
    assert of(DEFAULT, AUDITLAKE_HTTP_ENDPOINT="127.0.0.1:1") != of(DEFAULT)


def test_files_count_by_what_they_say(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    seen = {config_hash(None, [rules])}
    for text in ("a", "b"):
        rules.write_text(text)
        seen.add(config_hash(None, [rules]))
    assert len(seen) == 3


def test_a_file_of_prices_counts(tmp_path: Path) -> None:
    text = DEFAULT.replace("processors:\n", "processors:\n  pricing: {file: prices.yaml}\n", 1).replace(
        "[memory_limiter,", "[pricing, memory_limiter,"
    )
    (tmp_path / "otel-config.yaml").write_text(text)
    seen = set()
    for cost in (1, 2):
        (tmp_path / "prices.yaml").write_text(f"prices: [{{model: m, input: {cost}, output: 1}}]")
        seen.add(config_hash(load(tmp_path / "otel-config.yaml", {})))
    assert len(seen) == 2


def test_the_last_hash_of_a_process_is_remembered(tmp_path: Path) -> None:
    assert remembered(tmp_path, "collector") is None
    for value in ("a" * 16, "b" * 16):
        remember(tmp_path, "collector", value)
        assert remembered(tmp_path, "collector") == value
    assert remembered(tmp_path, "alerts") is None
