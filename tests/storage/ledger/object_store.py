"""As much of S3 as a copy of a checkpoint needs, over a real socket: put, get, list. Says no when it is told to."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Store:
    """The objects, by bucket and key; `denied` are HTTP methods that are answered with 403, `requests` what was asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.objects: dict[str, bytes] = {}
        self.denied: set[str] = set()
        self.requests: list[str] = []

    def location(self, path: str) -> str:
        return f"s3://{path}?endpoint_override=127.0.0.1:{self.port}&scheme=http&region=eu-central-1"


@contextmanager
def store() -> Iterator[Store]:
    """Serve an empty store."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self._body()
            if "aws-chunked" in self.headers.get("content-encoding", ""):
                body = _unchunked(body)
            if self._allowed():
                made.objects[self._key()] = body
                self._answer(200, b"")

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if not self._allowed():
                return
            if "list-type" in query:
                self._answer(200, _listing(made.objects, self._key(), query["prefix"][0]))
            elif self._key() in made.objects:
                self._answer(200, made.objects[self._key()])
            else:
                self._answer(404, b"")

        def do_HEAD(self) -> None:
            if self._allowed():
                self._answer(200 if self._key() in made.objects else 404, made.objects.get(self._key(), b""))

        def _body(self) -> bytes:
            if "content-length" in self.headers:
                return self.rfile.read(int(self.headers["content-length"]))
            body = b""  # HTTP's own chunks
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _key(self) -> str:
            return unquote(urlsplit(self.path).path).strip("/")

        def _allowed(self) -> bool:
            made.requests.append(self.command)
            if self.command in made.denied:
                self._answer(403, b"")
            return self.command not in made.denied

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.send_header("content-type", "application/xml" if body.startswith(b"<") else "application/octet-stream")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Store(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _unchunked(body: bytes) -> bytes:
    """Take the frames of aws-chunked away: hexadecimal length, options, CR LF, content, CR LF."""
    content = b""
    while (head := re.match(rb"([0-9a-fA-F]+)[^\r]*\r\n", body)) and int(head[1], 16):
        size = int(head[1], 16)
        content += body[head.end() : head.end() + size]
        body = body[head.end() + size + 2 :]
    return content


def _listing(objects: dict[str, bytes], bucket: str, prefix: str) -> bytes:
    """Return a ListObjectsV2 answer with `/` as delimiter."""
    keys = sorted(key.removeprefix(f"{bucket}/") for key in objects if key.startswith(f"{bucket}/{prefix}"))
    folders = sorted({prefix + key.removeprefix(prefix).partition("/")[0] + "/" for key in keys if "/" in key.removeprefix(prefix)})
    files = [key for key in keys if "/" not in key.removeprefix(prefix)]
    contents = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(objects[f'{bucket}/{key}'])}</Size>"
        "<LastModified>2026-11-21T12:00:00.000Z</LastModified></Contents>"
        for key in files
    )
    prefixes = "".join(f"<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>" for folder in folders)
    head = f"<Name>{bucket}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(files) + len(folders)}</KeyCount><IsTruncated>false</IsTruncated>"
    return f'<?xml version="1.0"?><ListBucketResult>{head}{contents}{prefixes}</ListBucketResult>'.encode()
