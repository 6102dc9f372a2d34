"""Tasks, threads, forks and decorators: each step belongs to the run in which it began."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import auditlake
from auditlake import vocabulary as names

from tests.sdk.otlp_server import OtlpServer

Configure = Callable[..., auditlake.Handle]


def test_async_runs_keep_apart(server: OtlpServer, configure: Configure) -> None:
    """Concurrent tasks each have their own run and numbering."""
    handle = configure()

    async def work(name: str) -> str:
        async with auditlake.run(task_type=name) as run:
            for _ in range(3):
                await asyncio.sleep(0.001)
                async with auditlake.tool_call(name):
                    await asyncio.sleep(0.001)
        return run.id

    async def both() -> list[str]:
        return list(await asyncio.gather(*(work(f"t{number}") for number in range(5))))

    ids = asyncio.run(both())
    handle.flush()
    for number, run_id in enumerate(ids):
        mine = [span for span in server.spans if span.attributes[names.RUN_ID] == run_id]
        assert {span.name for span in mine} == {"invoke_agent support-agent", f"execute_tool t{number}"}
        assert sorted(span.attributes[names.SEQ] for span in mine) == [2, 3, 4, 5]  # run.started is 1


def test_threads_share_one_numbering(server: OtlpServer, configure: Configure) -> None:
    """Steps in threads that were given the context belong to the run, each number once."""
    handle = configure()

    def step() -> None:
        with auditlake.tool_call("parallel"):
            pass

    with auditlake.run() as run, ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(copy_context().run, step) for _ in range(200)]:
            future.result()
    handle.flush()
    numbers = sorted(record.attributes[names.SEQ] for record in server.spans + server.logs)
    assert numbers == list(range(1, run.seq_last + 1))


def test_decorators_record_each_call(server: OtlpServer, configure: Configure) -> None:
    """A step decorates sync and async functions; recursion and concurrency get a span each."""
    handle = configure()

    @auditlake.tool_call("count", side_effect="none")
    def count(number: int) -> int:
        return number and count(number - 1)

    @auditlake.tool_call("later")
    async def later() -> str:
        await asyncio.sleep(0)
        return "done"

    async def twice() -> list[str]:
        return list(await asyncio.gather(later(), later()))

    assert count(2) == 0
    assert asyncio.run(twice()) == ["done", "done"]
    handle.flush()
    assert [span.name for span in server.spans].count("execute_tool count") == 3
    assert [span.name for span in server.spans].count("execute_tool later") == 2


def test_what_is_decorated_before_configure_is_recorded_after_it(server: OtlpServer, configure: Configure) -> None:
    """Modules are imported before the process is configured; each call asks anew."""

    @auditlake.run("nightly")
    def nightly() -> None:
        with auditlake.tool_call("tidy"):
            pass

    nightly()
    handle = configure(agent_name="janitor")
    nightly()
    nightly()
    handle.flush()
    assert [span.name for span in server.spans].count("invoke_agent janitor") == 2
    assert len({span.attributes[names.RUN_ID] for span in server.spans}) == 2


def _child() -> None:
    with auditlake.tool_call("in_child"):
        pass
    auditlake.flush()


def test_a_fork_sends_its_own_records_once(server: OtlpServer, configure: Configure) -> None:
    """A child process inherits neither the queue nor the numbers; both send what they made, once."""
    handle = configure(delay_seconds=60.0)
    with auditlake.run():
        with auditlake.tool_call("in_parent"):
            pass
        process = multiprocessing.get_context("fork").Process(target=_child)
        process.start()
        process.join(10)
    handle.flush()
    assert sorted(span.name for span in server.spans) == ["execute_tool in_child", "execute_tool in_parent", "invoke_agent support-agent"]
    child = server.span("execute_tool in_child").attributes
    assert names.RUN_ID in child
    assert names.SEQ not in child
