"""A meeting place for Gloo's ranks on this machine: HTTP on the loopback interface only.

Horovod's own server listens on all interfaces and unpickles what it finds (CVE-2024-10190); this
one keeps bytes, and only this machine reaches it.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from pdehvd.launch.ranks import unplaced
from pdehvd.launch.threads import thread_environment


class Rendezvous:
    """Keeps bytes under paths while the block runs; Gloo's ranks tell each other addresses."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        stored: dict[str, bytes] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                stored[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(200)

            def do_GET(self) -> None:
                found = stored.get(self.path)
                self._answer(404 if found is None else 200, found or b"")

            def do_DELETE(self) -> None:
                stored.pop(self.path, None)
                self._answer(200)

            def _answer(self, code: int, body: bytes = b"") -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.host, self.port = host, self._server.server_address[1]

    def __enter__(self) -> Rendezvous:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, rank: int, size: int, interface: str = "lo") -> dict[str, str]:
        """Return the variables by which Horovod joins over Gloo as one rank of one host."""
        return {
            "HOROVOD_CONTROLLER": "gloo",
            "HOROVOD_CPU_OPERATIONS": "gloo",
            "HOROVOD_GLOO_IFACE": interface,
            "HOROVOD_GLOO_RENDEZVOUS_ADDR": self.host,
            "HOROVOD_GLOO_RENDEZVOUS_PORT": str(self.port),
            "HOROVOD_GLOO_TIMEOUT_SECONDS": "30",
            "HOROVOD_HOSTNAME": "localhost",
            "HOROVOD_RANK": str(rank),
            "HOROVOD_SIZE": str(size),
            "HOROVOD_LOCAL_RANK": str(rank),
            "HOROVOD_LOCAL_SIZE": str(size),
            "HOROVOD_CROSS_RANK": "0",
            "HOROVOD_CROSS_SIZE": "1",
        }


def launch_gloo(command: Sequence[str], size: int, threads: int = 1) -> int:
    """Start `size` processes of a command joined over Gloo; return the first code that is not 0.

    A process that fails ends the others, which would wait for it forever.
    """
    with Rendezvous() as meeting:
        common = {**unplaced(os.environ), **thread_environment(threads), "PDEHVD_TERMINAL": "0"}
        children = [
            subprocess.Popen(list(command), env={**common, **meeting.environment(rank, size)})
            for rank in range(size)
        ]
        try:
            return _first_failure(children)
        finally:
            for child in children:
                if child.poll() is None:
                    child.kill()
                child.wait()


def _first_failure(children: list[subprocess.Popen[bytes]]) -> int:
    """Wait until all ended well or one did not."""
    waiting = list(children)
    while waiting:
        for child in list(waiting):
            try:
                code = child.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            waiting.remove(child)
            if code:
                return code if code > 0 else 128 - code
    return 0


def open_door() -> str:
    """Return a warning where this job's launcher waits for strangers too; empty where not."""
    if "HOROVOD_GLOO_RENDEZVOUS_ADDR" not in os.environ:
        return ""
    return (
        "warning: horovodrun has opened a server without authentication on all interfaces of this "
        "machine (CVE-2024-10190, CVE-2026-31234); --np and mpirun open none"
    )
