"""A web server with one file, which cuts connections and changes its mind as it is told."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What it serves, and what it was asked."""

    content: bytes
    etag: str = '"1"'
    #: What `Last-Modified` says; without it there is none.
    modified: str = ""
    ranges: bool = True
    #: What the next answers are, before those of the file: statuses, or `(status, headers)`.
    first: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    #: After how many bytes of a body the connection is cut, of the next answers.
    cuts: list[int] = field(default_factory=list)
    #: In the middle of a body, an answer waits until it is set.
    opened: threading.Event | None = None
    #: Called before each answer.
    before: Callable[["FileServer"], None] = lambda _: None
    #: Path and headers of each request.
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    """Serve on loopback until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.before(server)
            server.asked.append((self.path, dict(self.headers)))
            if server.first:
                status, headers = server.first.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                return
            start = 0
            wanted = self.headers.get("Range", "")
            is_same = self.headers.get("If-Range") in (server.etag, server.modified)
            if wanted and server.ranges and is_same:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
            body = server.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if server.etag:
                self.send_header("ETag", server.etag)
            if server.modified:
                self.send_header("Last-Modified", server.modified)
            if start:
                last, whole = len(server.content) - 1, len(server.content)
                self.send_header("Content-Range", f"bytes {start}-{last}/{whole}")
            self.end_headers()
            self.close_connection = True
            if server.opened is None:
                self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)
                return
            with suppress(OSError):  # who asked may be dead by now
                self.wfile.write(body[: len(body) // 2])
                server.opened.wait()
                self.wfile.write(body[len(body) // 2 :])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if server.opened is not None:
            server.opened.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()
