"""The library that is preloaded into mpirun, in a process of its own."""

import os
import subprocess
import sys

from pdehvd.launch import loopback

LISTEN = """
import socket
for address in ("0.0.0.0", "::", "127.0.0.2"):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as door:
        door.bind((address, 0))
        print(door.getsockname()[0])
"""


def test_a_socket_for_all_interfaces_is_bound_to_the_loopback_one():
    library = loopback.loopback_library()
    assert library is not None
    done = subprocess.run(
        [sys.executable, "-c", LISTEN],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["127.0.0.1", "::1", "127.0.0.2"]
