"""A web server on the loopback that misbehaves as asked, and remembers what it was asked for."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FileServer:
    """What is served, and how.

    Attributes:
        files: Contents by path.
        faults: One for each of the next requests: ``status`` to answer with, ``drop_after`` so many bytes of the
            content, ``claim`` so many bytes more than come, ``length=False`` for no length, ``lie`` about where a
            range begins, ``blind`` to ``If-Range``, ``etag`` in place of the right one, ``location`` to redirect to,
            ``hold`` after so many bytes until the server closes.
        ranges: Whether ``Range`` is obeyed.
        versions: Whether an ``ETag`` is sent, and ``If-Range`` obeyed.
        requests: Path and headers of each request so far.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    ranges: bool = True
    versions: bool = True
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ''
    closing: threading.Event = field(default_factory=threading.Event)

    def asked_ranges(self) -> list[str | None]:
        return [headers.get('Range') for _, headers in self.requests]


@contextmanager
def serving(**settings: Any) -> Iterator[FileServer]:
    """Serve until the block ends."""
    served = FileServer(**settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            served.requests.append((self.path, dict(self.headers)))
            with suppress(ConnectionError):  # the client has heard enough
                answer(self, served, served.faults.pop(0) if served.faults else {})

    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as httpd:
        httpd.daemon_threads = True
        served.address = f'http://127.0.0.1:{httpd.server_port}'
        thread = threading.Thread(target=httpd.serve_forever, kwargs=dict(poll_interval=0.01))
        thread.start()
        try:
            yield served
        finally:
            served.closing.set()
            httpd.shutdown()
            thread.join()


def answer(handler: BaseHTTPRequestHandler, served: FileServer, fault: dict[str, Any]) -> None:
    handler.close_connection = True
    content = served.files.get(handler.path.lstrip('/'))
    if 'location' in fault:
        return bare(handler, 302, Location=fault['location'])
    if 'status' in fault or content is None:
        return bare(handler, fault.get('status', 404))
    version = fault.get('etag', f'"{hashlib.sha1(content).hexdigest()}"')
    begin = 0
    match = re.fullmatch(r'bytes=(\d+)-', handler.headers.get('Range', ''))
    is_same = handler.headers.get('If-Range') in (None, version) or fault.get('blind', False)
    if served.ranges and match and is_same:
        begin = int(match[1])
        if begin >= len(content):
            return bare(handler, 416, **{'Content-Range': f'bytes */{len(content)}'})
    handler.send_response(206 if begin else 200)
    if begin:
        told = begin + fault.get('lie', 0)
        handler.send_header('Content-Range', f'bytes {told}-{len(content) - 1}/{len(content)}')
    if served.versions:
        handler.send_header('ETag', version)
    if fault.get('length', True):
        handler.send_header('Content-Length', str(len(content) - begin + fault.get('claim', 0)))
    handler.end_headers()
    stop = begin + fault['drop_after'] if 'drop_after' in fault else len(content)
    if 'hold' in fault:
        handler.wfile.write(content[begin : begin + fault['hold']])
        handler.wfile.flush()
        served.closing.wait(60)
        return None
    handler.wfile.write(content[begin:stop])
    return None


def bare(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {'Content-Length': '0', **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
