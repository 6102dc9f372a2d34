"""A web server that answers every request as a test says."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answering = Callable[[bytes], tuple[int, str, bytes]]
"""Body → status, content type, body."""


@contextmanager
def answering(answer: Answering, headers: Mapping[str, str] = {}) -> Iterator[str]:
    """Serve, with these headers in every answer, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(b"")

        def do_POST(self) -> None:
            self._say(self.rfile.read(int(self.headers["content-length"])))

        def _say(self, asked: bytes) -> None:
            status, kind, body = answer(asked)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("location", "/elsewhere")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
