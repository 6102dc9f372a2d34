"""The slow path: scanner processes of their own, so that the collector stays small and a hanging recognizer can be killed.

Every text that was given gets a verdict. A scanner enforces the CPU budget of a part itself; when it does not answer at all it is killed
and started again. A text that was in its hands then is withheld (it hung) or tried once more (it died). Long texts go to it by parts
between which others are served; one that has used up the allowance of its length is withheld, and what is left of it not looked at.
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from redaction.composition import Scan
from redaction.findings import TIMEOUT, WORKER, Verdict
from redaction.frames import Pipe, PipeLost, PipeTimeout
from redaction.log import warn
from redaction.pending import Call, Text, Work
from redaction.policy import RedactionConfig
from redaction.scan import Gate, allowance_seconds
from redaction.scanner import READY, decoded

COMMAND: Final = (
    sys.executable,
    "-c",
    "import sys; sys.path.insert(0, sys.argv[1]); from redaction.scanner import main; main()",
    str(Path(__file__).resolve().parent.parent),
)
START_SECONDS: Final = 60.0
MODEL_START_SECONDS: Final = 300.0
START_ATTEMPTS: Final = 2
BACKOFF_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
BATCH_TEXTS: Final = 32
BATCH_CHARS: Final = 1 << 16
SMALL_CALL_TEXTS: Final = 8
"""A call with so few texts (or parts of them), such as one audit event, does not queue behind whole requests: batches are taken in turn."""
LONG: Final = 2
LONG_TEXT_PARTS: Final = 4
"""The queue of texts over `BATCH_CHARS`, and how many of their parts are taken in a turn: what comes in meanwhile waits for no more."""


class ScannerProcess:
    """One scanner process. Not thread-safe."""

    def __init__(self, config: RedactionConfig, command: Sequence[str], cache_folder: Path | None, ready: Callable[[bytes], None]) -> None:
        """`ready` takes the prefilter that a process has built or loaded, from the thread that uses it."""
        self._policy = (config.model_dump_json(), None if cache_folder is None else str(cache_folder))
        self._ready = ready
        self._timeout_seconds = config.presidio.timeout_ms / 1000
        self._start_seconds = START_SECONDS if config.presidio.nlp_engine == "none" else MODEL_START_SECONDS
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Pipe | None = None
        self._failures = 0
        self._not_before = 0.0
        self._closing = threading.Event()
        self.problem = ""
        """Why the process does not start; empty when it does."""

    def scan(self, batch: Sequence[Work]) -> Iterator[tuple[Verdict, float]]:
        """Yield the verdicts on a batch, in order, as they come, each with the seconds that it took."""
        position, deaths = 0, 0
        while position < len(batch):
            pipe = self.ensure()
            if pipe is None:
                yield from ((WORKER, 0.0) for _ in batch[position:])
                return
            try:
                pipe.send(list(batch[position:]), deadline=time.monotonic() + START_SECONDS)
                while position < len(batch):
                    answer = decoded(pipe.receive(deadline=time.monotonic() + self._patience(batch[position][0])))
                    position, deaths = position + 1, 0
                    yield answer
            except PipeTimeout:
                self._restart("it hung")
                position, deaths = position + 1, 0
                yield TIMEOUT, 0.0
            except PipeLost:
                self._restart("it ended")
                deaths += 1
                if deaths > 1:
                    position, deaths = position + 1, 0
                    yield WORKER, 0.0

    def ensure(self) -> Pipe | None:
        """Return the pipe to a process that is ready, starting one if need be; None while it cannot be started."""
        if self._closing.is_set() or self._pipe is not None or time.monotonic() < self._not_before:
            return None if self._closing.is_set() else self._pipe
        for attempt in range(START_ATTEMPTS):
            if self._closing.is_set():
                break
            try:
                self._start()
            except (OSError, PipeLost, PipeTimeout, RuntimeError) as error:
                self.kill()
                if attempt == START_ATTEMPTS - 1 or isinstance(error, RuntimeError):
                    self._give_up(str(error) if isinstance(error, RuntimeError) else type(error).__name__)
                    break
            else:
                break
        return self._pipe

    def _give_up(self, problem: str) -> None:
        self.problem = problem
        self._not_before = time.monotonic() + BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        warn("the redaction scanner does not start: texts are withheld", problem=problem)

    def interrupt(self) -> None:
        """End the process for good, from another thread: the one that uses it notices, and cleans up."""
        self._closing.set()
        process = self._process
        if process is not None:
            process.kill()

    def kill(self) -> None:
        """End the process, in the thread that uses it."""
        process, self._process, self._pipe = self._process, None, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def _start(self) -> None:
        process = subprocess.Popen(self._command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._process = process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        pipe = Pipe(process.stdout.fileno(), process.stdin.fileno())
        deadline = time.monotonic() + self._start_seconds
        pipe.send(self._policy, deadline=deadline)
        answer, detail = pipe.receive(deadline=deadline)
        if answer != READY:
            raise RuntimeError(detail)
        if self._closing.is_set():  # it was started while the pool was being closed
            raise PipeLost
        self._ready(detail)
        self._pipe, self._failures, self.problem = pipe, 0, ""

    def _restart(self, why: str) -> None:
        warn("the redaction scanner is started again", why=why)
        self.kill()

    def _patience(self, text: str) -> float:
        """Wall-clock seconds for one text: far more than its CPU budget, so that only a real hang is killed."""
        return 2.0 + 8 * allowance_seconds(text, 2 * self._timeout_seconds)


class ScannerPool:
    """Scanner processes behind one queue. Calls that come while they are busy are answered together; equal texts are scanned once."""

    def __init__(
        self,
        config: RedactionConfig,
        *,
        command: Sequence[str] = COMMAND,
        cache_folder: Path | None = None,
        ready: Callable[[bytes], None] = lambda _: None,
        gate: Gate | None = None,
    ) -> None:
        self._processes = [ScannerProcess(config, command, cache_folder, ready) for _ in range(config.presidio.workers)]
        self._gate = gate
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._timeout_seconds = config.presidio.timeout_ms / 1000
        self._queues: tuple[deque[Work], ...] = (deque(), deque(), deque())  # of small calls, of the others, of long texts
        self._turn = 0
        self._running = 0
        self._texts: dict[Scan, Text] = {}
        self._parts: dict[Work, list[Text]] = {}
        self._closed = False

    def start(self) -> None:
        """Begin to start the processes; returns at once. The first call to `scan` does it too."""
        with self._changed:
            if self._threads or self._closed:
                return
            self._threads = [
                threading.Thread(target=self._run, args=(process,), name="redaction-scanner", daemon=True) for process in self._processes
            ]
            self._running = len(self._threads)
        for thread in self._threads:
            thread.start()

    async def scan(self, texts: Sequence[Scan]) -> Mapping[Scan, Verdict]:
        """Return a verdict for each of the distinct `texts`; waits as long as it takes."""
        if not texts:
            return {}
        call = Call(len(texts))
        size = sum(len(text) for text, _ in texts)
        texts_of_call = await asyncio.to_thread(self._texts_of, texts) if size > BATCH_CHARS else self._texts_of(texts)
        size = sum(len(text.offsets) for text in texts_of_call)
        with self._changed:
            if self._closed:
                return dict.fromkeys(texts, WORKER)
            for text in texts_of_call:
                if not text.offsets:
                    call.deliver(text.scan, ())
                    continue
                self._enqueue(text, call, LONG if len(text.scan[0]) > BATCH_CHARS else size > SMALL_CALL_TEXTS)
            self._changed.notify_all()
        self.start()
        return await asyncio.wrap_future(call.future)

    def _texts_of(self, texts: Sequence[Scan]) -> list[Text]:
        return [Text(scan, self._timeout_seconds, self._gate) for scan in texts]

    def _enqueue(self, text: Text, call: Call, queue: int) -> None:
        known = self._texts.get(text.scan)
        if known is not None:
            known.calls.append(call)
            return
        self._texts[text.scan] = text
        text.calls.append(call)
        for work in text.offsets:
            if work not in self._parts:
                self._parts[work] = []
                self._queues[queue].append(work)
            self._parts[work].append(text)

    async def close(self) -> None:
        """End threads and processes; texts that are still waiting get the verdict `worker`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for process in self._processes:
            process.interrupt()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._fail_all()

    def state(self) -> str:
        """Return "ok" or "down: why"."""
        problem = next((process.problem for process in self._processes if process.problem), "")
        if self._closed:
            return "down: closed"
        return f"down: the scanner does not start ({problem})" if problem else "ok"

    @property
    def waiting(self) -> int:
        """How many parts of texts wait for a scanner."""
        return sum(map(len, self._queues))

    def _run(self, process: ScannerProcess) -> None:
        """One thread: takes batches and delivers verdicts until the pool is closed."""
        try:
            process.ensure()
            while batch := self._take():
                self._scan(process, batch)
        finally:
            process.kill()
            with self._changed:
                self._running -= 1
                self._closed = self._closed or not self._running  # without a thread nobody may wait
            if self._closed:
                self._fail_all()

    def _scan(self, process: ScannerProcess, batch: list[Work]) -> None:
        delivered = 0
        try:
            for work, (verdict, seconds) in zip(batch, process.scan(batch), strict=True):
                self._deliver(work, verdict, seconds)
                delivered += 1
        except Exception as error:  # noqa: BLE001 - nobody may wait for ever; messages may hold text
            for work in batch[delivered:]:
                self._deliver(work, WORKER, 0.0)
            process.kill()
            warn("a batch of texts is withheld", error=type(error).__name__)

    def _take(self) -> list[Work]:
        """Wait for work and return a fair share of it; empty when closed."""
        with self._changed:
            while True:
                while not any(self._queues) and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return []
                if batch := self._batch():
                    return batch

    def _batch(self) -> list[Work]:
        """Return the next batch, from the queues in turn; empty when nobody wants any more what was asked."""
        self._turn = next(turn % 3 for turn in range(self._turn + 1, self._turn + 4) if self._queues[turn % 3])
        queue = self._queues[self._turn]
        limit = LONG_TEXT_PARTS if self._turn == LONG else BATCH_TEXTS
        count = min(limit, -(-len(queue) // len(self._processes)))
        batch: list[Work] = []
        size = 0
        while queue and len(batch) < count and size < BATCH_CHARS:
            work = queue.popleft()
            if any(text.waits for text in self._parts[work]):
                batch.append(work)
                size += len(work[0])
            else:
                self._forget(work)
        return batch

    def _forget(self, work: Work) -> None:
        for text in self._parts.pop(work):
            if not text.waits and self._texts.get(text.scan) is text:
                del self._texts[text.scan]

    def _deliver(self, work: Work, verdict: Verdict, seconds: float) -> None:
        with self._changed:  # threads of several processes answer parts of one call
            for text in self._parts.pop(work, []):
                if self._texts.get(text.scan) is not text:
                    continue  # it was answered already
                answer = text.answer(work, verdict, seconds)
                if answer is not None:
                    del self._texts[text.scan]
                    for call in text.calls:
                        call.deliver(text.scan, answer)
                    text.calls.clear()

    def _fail_all(self) -> None:
        with self._changed:
            for queue in self._queues:
                queue.clear()
            self._parts.clear()
            for scan, text in self._texts.items():
                for call in text.calls:
                    call.deliver(scan, WORKER)
            self._texts.clear()
