"""The meeting place of Gloo's ranks, and what happens when one of them fails."""

import time
import urllib.error
import urllib.request

import pytest

from pdehvd.launch.rendezvous import Rendezvous, launch_gloo


def ask(meeting, method, path, body=None):
    url = f"http://{meeting.host}:{meeting.port}/{path}"
    request = urllib.request.Request(url, data=body, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def test_it_keeps_bytes_on_the_loopback_interface():
    with Rendezvous() as meeting:
        assert meeting.host == "127.0.0.1"
        with pytest.raises(urllib.error.HTTPError) as error:
            ask(meeting, "GET", "scope/0")
        assert error.value.code == 404
        ask(meeting, "PUT", "scope/0", b"\x80\x04address")
        assert ask(meeting, "GET", "scope/0") == b"\x80\x04address"
        ask(meeting, "DELETE", "scope/0")
        with pytest.raises(urllib.error.HTTPError):
            ask(meeting, "GET", "scope/0")
        variables = meeting.environment(1, 4)
        assert variables["HOROVOD_RANK"] == "1" and variables["HOROVOD_SIZE"] == "4"
        assert variables["HOROVOD_GLOO_RENDEZVOUS_PORT"] == str(meeting.port)


def test_a_rank_that_fails_ends_the_others(tmp_path):
    program = f'[ "$HOROVOD_RANK" = 1 ] && exit 3; touch {tmp_path}/$HOROVOD_RANK; exec sleep 600'
    before = time.monotonic()
    assert launch_gloo(["sh", "-c", program], 3) == 3
    assert time.monotonic() - before < 60
    assert launch_gloo(["sh", "-c", "exit 0"], 2) == 0
