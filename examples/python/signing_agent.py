"""A client of signing-agent, from docs/protocol.md alone. As a program it signs the files that it is given."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import socket
import struct
import sys
import threading
from concurrent.futures import Future
from typing import Any


class AgentError(Exception):
    """The agent refused. `kind` is one of docs/protocol.md; `data` has what the kind has beside it."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.data: dict[str, Any] = error["data"]
        self.kind: str = self.data["kind"]
        super().__init__(f"{self.kind}: {error['message']}")


class ConnectionLost(Exception):
    """The connection ended before the answer came. Whether the call was done is unknown."""


def default_path() -> str:
    runtime = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "")
    return os.environ.get("SIGNING_AGENT_SOCK") or f"{runtime}/signing-agent/agent.sock"


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Agent:
    """One connection. May be used by many threads; `send` does not wait, so that calls are pipelined."""

    def __init__(self, path: str | None = None, timeout: float = 10.0) -> None:
        self._timeout = timeout
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._end: Exception | None = None
        self._ids = itertools.count(1)
        self._writing, self._state = threading.Lock(), threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path or default_path())
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # the agent may have ended it
            self._socket.shutdown(socket.SHUT_RDWR)

    def send(self, method: str, **params: Any) -> Future[dict[str, Any]]:
        """Sends a call; the future has its result, an AgentError or ConnectionLost."""
        answer: Future[dict[str, Any]] = Future()
        answer.set_running_or_notify_cancel()
        with self._state:
            if self._end is not None:
                raise self._end
            number = next(self._ids)
            self._waiting[number] = answer
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        # Where it fails the reader sees the end of the connection too, and tells everybody who waits.
        with self._writing, contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        return answer

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.send(method, **params).result(self._timeout)

    def sign(self, message: bytes, **options: str) -> bytes:
        """64 bytes by the active key; `kid` and `keyring` as options."""
        return decode(self.call("sign", message_b64=encode(message), **options)["signature_b64"])

    def authenticate(self, api_key: str, agent_uid: int = 0) -> dict[str, Any]:
        """Gives the connection what the API key has. Tells it to root, to this user or to `agent_uid` alone."""
        _, uid, _ = struct.unpack("3i", self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (0, os.geteuid(), agent_uid):
            raise PermissionError(f"the listener is of uid {uid}: the API key was not sent")
        return self.call("authenticate", api_key=api_key)

    def _read(self) -> None:
        end: Exception = ConnectionLost("the agent closed the connection")
        try:
            for line in self._socket.makefile("rb"):
                answer = json.loads(line)
                with self._state:
                    waiting = self._waiting.pop(answer["id"], None)
                if waiting is None:  # about the connection, which ends
                    end = AgentError(answer["error"])
                elif "error" in answer:
                    waiting.set_exception(AgentError(answer["error"]))
                else:
                    waiting.set_result(answer["result"])
        except (OSError, ValueError) as failure:
            end = ConnectionLost(str(failure))
        with self._state:
            self._end, unanswered = end, list(self._waiting.values())
        for waiting in unanswered:
            waiting.set_exception(end)
        self._socket.close()


if __name__ == "__main__":
    with Agent() as agent:
        sent = [(path, agent.send("sign", message_b64=encode(open(path, "rb").read()))) for path in sys.argv[1:]]
        for path, answer in sent:
            print(path, answer.result(60)["signature_b64"])
