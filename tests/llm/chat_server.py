"""A small real HTTP server that speaks OpenAI's chat format and answers from a script."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


class ChatServer:
    """Answers one call after another; the last answer of the script is repeated."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.calls: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.ended = threading.Event()  # lets an answer that waits go
        self.url = ""

    @property
    def models(self) -> list[str]:
        """The models asked, in order."""
        return [call["model"] for call in self.calls]


@contextmanager
def serving(*script: Answer) -> Iterator[ChatServer]:
    """Serve on a free port of the loopback; say what was asked."""
    server = ChatServer(*script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.calls.append(json.loads(body))
            server.headers.append({key.lower(): value for key, value in self.headers.items()})
            number = min(len(server.calls), len(server.script)) - 1
            self.ended = server.ended
            try:
                server.script[number](self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.05,))
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    try:
        yield server
    finally:
        server.ended.set()
        http.shutdown()
        thread.join()
        http.server_close()


USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def completion(text: str | None, usage: Any = USAGE, finish: str = "stop") -> dict[str, Any]:
    """Return the body of a usual answer."""
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "served",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    return body | ({"usage": usage} if usage else {})


def send(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with JSON, or with exactly these bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


def says(text: str | None, **options: Any) -> Answer:
    """Answer with a text."""
    return send(completion(text, **options))


def refuses(
    status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """Answer with an error in OpenAI's form."""
    error = {"message": message, "type": "some_error", "param": None, "code": code}
    return send({"error": error}, status, headers)


def _begin_stream(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True


def _piece(text: str | None, finish: str | None = None, **more: Any) -> bytes:
    delta = {} if text is None else {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "served",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    } | more
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def streams(*pieces: str, usage: Any = USAGE, finish: str | None = "stop") -> Answer:
    """Answer piece by piece; without ``finish`` the connection ends in the middle."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _begin_stream(handler)
        for piece in pieces:
            handler.wfile.write(_piece(piece))
        if finish:
            handler.wfile.write(_piece(None, finish))
            if usage:
                handler.wfile.write(_piece(None, choices=[], usage=usage))
            handler.wfile.write(b"data: [DONE]\n\n")

    return answer


def drips(handler: BaseHTTPRequestHandler) -> None:
    """Answer one letter after another, without an end."""
    _begin_stream(handler)
    while not handler.ended.wait(0.02):  # type: ignore[attr-defined]
        handler.wfile.write(_piece("a"))
        handler.wfile.flush()


def stalls(handler: BaseHTTPRequestHandler) -> None:
    """Take the call and never answer."""
    handler.ended.wait(60)  # type: ignore[attr-defined]
    handler.close_connection = True


def resets(handler: BaseHTTPRequestHandler) -> None:
    """Cut the connection with a reset."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True
