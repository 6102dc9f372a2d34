"""The steps of a run as context managers: each is one span that says what was done, with what, and how it ended.

They work in sync and async code (`with` and `async with`) and as decorators of sync and async functions. Before `configure()`
they do nothing. An exception marks its step as failed and goes on.
"""

import asyncio
import copy
import functools
import inspect
import uuid
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, ClassVar, Literal, ParamSpec, Self, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NoOpTracer, Span, SpanKind, StatusCode

from auditlake import _state
from auditlake import vocabulary as names
from auditlake._messages import messages
from auditlake._scope import Numbering, Scope, current, entered, outside
from auditlake._values import Value, as_json, attributes, number, text, value

P = ParamSpec("P")
R = TypeVar("R")

SideEffect = Literal["none", "read", "write", "external"]
StopReason = Literal["completed", "max_steps", "timeout", "error", "budget", "cancelled", "killed"]


class Step:
    """One step: a span with typed setters. Subclasses say what sort of step."""

    _kind: ClassVar[str]
    _span_kind: ClassVar[SpanKind] = SpanKind.INTERNAL

    def __init__(self, name: str, values: Mapping[str, object]) -> None:
        """Describe the step; it begins when it is entered."""
        self._name = name
        self._values = values
        self._span: Span = trace.INVALID_SPAN
        self._tokens: list[Any] = []

    def __enter__(self) -> Self:
        """Begin the step, and make it the current one."""
        self._begin({}, otel_context.get_current())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None) -> None:
        """End the step; an exception marks it as failed and goes on."""
        if error is not None:
            self.error(error)
        self._close()

    async def __aenter__(self) -> Self:
        """Begin the step in async code."""
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None) -> None:
        """End the step in async code."""
        self.__exit__(kind, error, trace_back)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate `function` (sync or async): each call is a step of its own. Arguments and results are not recorded."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                with copy.copy(self)._fresh():
                    return await cast("Awaitable[Any]", function(*args, **kwargs))

            return cast("Callable[P, R]", awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            with copy.copy(self)._fresh():
                return function(*args, **kwargs)

        return called

    @property
    def span(self) -> Span:
        """The OpenTelemetry span, for links, events and attributes of your own."""
        return self._span

    @property
    def trace_id(self) -> str:
        """The trace id, 32 hex digits."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def set(self, name: str, item: object) -> Self:
        """Set an attribute; None and "" leave it absent, and what no attribute type holds becomes JSON."""
        if item is not None and item != "":
            self._span.set_attribute(name, value(item))
        return self

    def error(self, error: BaseException | str, message: str | None = None) -> Self:
        """Mark the step as failed: with an exception, or with an error type and a message."""
        if isinstance(error, BaseException):
            self._span.record_exception(error)
            kind, message = type(error).__qualname__, message or str(error)
        else:
            kind = error
        self.set(names.ERROR_TYPE, kind)
        self._span.set_status(StatusCode.ERROR, text(message) if message else None)
        return self

    def _fresh(self) -> Self:
        self._tokens = []
        return self

    def _begin(self, more: Mapping[str, object], context: Context, scope: Scope | None = None) -> None:
        """Start the span in `context`, and make it the current one; what happens inside is in `scope`, where one is given."""
        client = _state.current()
        tracer = client.tracer if client is not None else NoOpTracer()
        values: dict[str, Value] = {names.KIND: self._kind, **attributes({**self._values, **more})}
        self._span = tracer.start_span(text(self._name), context, kind=self._span_kind, attributes=values)
        inside = trace.set_span_in_context(self._span, context)
        self._tokens.append(otel_context.attach(entered(scope, inside) if scope is not None else inside))

    def _close(self) -> None:
        self._span.end()
        if self._tokens:
            otel_context.detach(self._tokens.pop())


class Run(Step):
    """A run: from the request to its final answer. Everything inside belongs to it and is numbered."""

    _kind = "run"

    def __init__(self, values: Mapping[str, object], *, common: Mapping[str, object], run_id: str | None, after_seq: int) -> None:
        """Describe the run; `common` is what every record in it carries."""
        super().__init__("invoke_agent", values)
        self._common = common
        self._given_id = run_id
        self._after_seq = after_seq
        self._stop_reason: StopReason | None = None
        self.id = run_id or ""
        self._numbering = Numbering()

    def __enter__(self) -> Self:
        """Begin the run as a trace of its own, and say so at once: its span is exported only at its end."""
        self.id = self._given_id or uuid.uuid4().hex
        self._stop_reason = None
        self._numbering = Numbering(self._after_seq)
        client = _state.current()
        common = {**(client.settings.common() if client is not None else {}), **attributes(self._common)}
        agent = common.get(names.AGENT_NAME) or (client.settings.service_name if client is not None else None)
        self._name = f"invoke_agent {agent}" if agent else "invoke_agent"
        scope = Scope(run_id=self.id, numbering=self._numbering, attributes=common)
        self._begin({names.RUN_ID: self.id, **scope.attributes}, outside(otel_context.get_current()), scope)
        if client is not None:
            client.emit(names.EVENT_RUN_STARTED, self._values)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None) -> None:
        """End the run, with the reason for which it stopped and the last number, which is its own: it is sent last."""
        self.set(names.STOP_REASON, self._stop_reason or _stop_reason(error))
        self.set(names.SEQ, self._numbering.next()).set(names.SEQ_LAST, self._numbering.last)
        super().__exit__(kind, error, trace_back)

    @property
    def seq_last(self) -> int:
        """The last number given: pass it as `after_seq` where the same run goes on in another process."""
        return self._numbering.last

    def stop(self, reason: StopReason) -> Self:
        """Say why the run stops; default: `completed`, or what the exception means."""
        self._stop_reason = reason
        return self

    def durations(self, *, planning_ms: float | None = None, execution_ms: float | None = None) -> Self:
        """Set how long the agent planned, and how long it carried the plan out."""
        return self.set(names.PLANNING_MS, number(planning_ms)).set(names.EXECUTION_MS, number(execution_ms))

    def quality(self, score: float) -> Self:
        """Set the quality of the result, 0 to 1."""
        return self.set(names.QUALITY_SCORE, number(score))

    def satisfaction(self, score: float) -> Self:
        """Set the user's satisfaction, 0 to 1."""
        return self.set(names.SATISFACTION, number(score))


class Agent(Step):
    """A sub-agent within the current run: the steps inside carry its name."""

    _kind = "agent"

    def __enter__(self) -> Self:
        """Begin the sub-agent's part."""
        scope = current()
        agent = attributes({name: self._values.get(name) for name in (names.AGENT_NAME, names.AGENT_ID, names.AGENT_VERSION)})
        inner = scope.with_agent(agent) if scope is not None else None
        self._begin({}, otel_context.get_current(), inner)
        return self


class ModelCall(Step):
    """A call of a model."""

    _kind = "model"
    _span_kind = SpanKind.CLIENT

    def messages(self, *, input: object = None, output: object = None, system: object = None) -> Self:  # noqa: A002
        """Set the conversation: texts, `{"role", "content"}` messages, or OpenTelemetry's own form."""
        self.set(names.INPUT_MESSAGES, messages(input, role="user"))
        self.set(names.OUTPUT_MESSAGES, messages(output, role="assistant"))
        return self.set(names.SYSTEM_INSTRUCTIONS, messages(system, role=None))

    def tokens(
        self, *, input: int | None = None, output: int | None = None, cache_read: int | None = None,  # noqa: A002
        cache_write: int | None = None, reasoning: int | None = None,
    ) -> Self:  # fmt: skip
        """Set the usage: `input` includes what was read from and written to the cache, `output` includes reasoning."""
        self.set(names.INPUT_TOKENS, input).set(names.OUTPUT_TOKENS, output).set(names.CACHE_READ_TOKENS, cache_read)
        return self.set(names.CACHE_WRITE_TOKENS, cache_write).set(names.REASONING_TOKENS, reasoning)

    def result(
        self, *, status: Literal["ok", "filtered", "truncated", "error"] = "ok", finish_reason: str | None = None,
        response_id: str | None = None, model: str | None = None,
    ) -> Self:  # fmt: skip
        """Set how the answer came out: its status, finish reason, id, and the model that answered."""
        self.set(names.OUTPUT_STATUS, status).set(names.RESPONSE_ID, response_id).set(names.RESPONSE_MODEL, model)
        return self.set(names.FINISH_REASONS, [finish_reason] if finish_reason else None)

    def cost(self, usd: float) -> Self:
        """Set what the call cost according to the agent; the collector prices it as well and shows a difference."""
        return self.set(names.COST_USD, number(usd))


class ToolCall(Step):
    """A call of a tool."""

    _kind = "tool"

    def arguments(self, arguments: object) -> Self:
        """Set the arguments, as JSON; the collector redacts them before they are stored."""
        return self.set(names.TOOL_ARGUMENTS, as_json(arguments))

    def result(self, result: object) -> Self:
        """Set the result, as JSON; the collector redacts it before it is stored."""
        return self.set(names.TOOL_RESULT, as_json(result))

    def authorization(self, authorization: str) -> Self:
        """Set what authorized the call, such as `policy:refunds` or `approval:a-7`."""
        return self.set(names.TOOL_AUTHORIZATION, authorization)


def _stop_reason(error: BaseException | None) -> StopReason:
    match error:
        case None:
            return "completed"
        case TimeoutError():
            return "timeout"
        case KeyboardInterrupt() | asyncio.CancelledError() | GeneratorExit():
            return "cancelled"
        case SystemExit():
            return "completed" if error.code in {None, 0} else "killed"
        case _:
            return "error"
