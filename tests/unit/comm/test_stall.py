"""Who is said to stall, from what ranks of a grid have begun."""

import os

import pytest

from pdehvd.comm.board import Board
from pdehvd.comm.stall import LineProgress, decode_progress, encode_progress, explain_stall

SPACE = "line space (ranks 0 and 1)"


def on(line, members, **begun):
    return LineProgress(line, members, begun)


def test_the_rank_that_has_not_come_is_named_with_line_and_collective():
    progress = {
        0: [on("all", (0, 1, 2, 3), sum=5), on("space", (0, 1), exchange=21)],
        1: [on("all", (0, 1, 2, 3), sum=5), on("space", (0, 1), exchange=20)],
    }
    assert explain_stall(progress) == [
        f"{SPACE}: rank 0 waits in exchange, the 21st collective there, in which rank 1 is missing",
        "rank 1 keeps the others waiting",
    ]


def test_who_only_waits_for_another_one_is_not_blamed():
    data, space = (0, 2), (0, 1)
    progress = {
        0: [on("data", data, sum=2), on("space", space, exchange=3)],
        1: [on("data", (1, 3), sum=2), on("space", space, exchange=2)],
        2: [on("data", data, sum=3), on("space", (2, 3), exchange=3)],
        3: [on("data", (1, 3), sum=3), on("space", (2, 3), exchange=3)],
    }
    *lines, last = explain_stall(progress)
    assert len(lines) == 3 and last == "rank 1 keeps the others waiting"
    assert lines[0].startswith("line data (ranks 0 and 2): rank 2 waits in sum, the 3rd")


def test_several_ranks_other_machines_and_a_stopped_rank_that_lags():
    members = tuple(range(6))
    progress = {rank: [on("all", members, **{"sum.a": 112, "gather.b": 4})] for rank in (0, 1)}
    progress |= {rank: [on("all", members, **{"sum.a": 100, "gather.b": 3})] for rank in (2, 3)}
    assert explain_stall(progress) == [
        "line all (ranks 0, 1, 2, 3, 4 and 5): ranks 0 and 1 wait in sum.a or gather.b, the "
        "116th collective there, in which ranks 2 and 3 are missing; ranks 4 and 5: on another "
        "machine",
        "ranks 2 and 3 keep the others waiting",
    ]


@pytest.mark.parametrize(
    ("count", "text"), [(1, "1st"), (2, "2nd"), (11, "11th"), (1013, "1,013th")]
)
def test_ordinals(count, text):
    progress = {0: [on("all", (0, 1), sum=count)], 1: [on("all", (0, 1), sum=count - 1)]}
    assert f"the {text} collective" in explain_stall(progress)[0]


def test_where_nobody_is_behind_nobody_is_blamed():
    progress = {rank: [on("all", (0, 1), sum=2)] for rank in (0, 1)}
    assert explain_stall(progress) == [
        "no rank of this machine waits for another one of it in a collective"
    ]


def test_a_board_is_read_by_others_and_leaves_no_file():
    progress = [on("all", (0, 1), sum=2), on("space", (0, 1))]
    own = Board.make()
    other = Board.open(own.path)
    assert other.read() == ""
    own.hide()
    own.write("x" * 1000)
    own.write(encode_progress(progress))
    assert not own.path.exists() and decode_progress(other.read()) == progress
    with pytest.raises(ValueError):
        decode_progress("")
    assert Board.open(own.path) is None
    os.close(own._file)
    own.write("lost")
    assert decode_progress(other.read()) == progress
