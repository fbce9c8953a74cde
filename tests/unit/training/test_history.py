import json
import math

import numpy as np
import pytest

from pdehvd.training.history import EVENTS, FILE, History, read


def row(step, **more):
    return {"step": step, "seconds": 0.5 * step, "loss/total": 1.0 / (step + 1), **more}


def events(directory):
    """Return {(tag, step): value} of all event files."""
    import tensorflow as tf

    found = {}
    for path in sorted((directory / EVENTS).glob("events.out.tfevents.*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
    return found


def test_rows_come_back(tmp_path):
    with History(tmp_path) as history:
        history.append(row(0))
        history.append(row(10, **{"relative_l2/u": np.float32(0.25), "learning_rate": 1e-3}))
    frame = read(tmp_path)
    assert list(frame["step"]) == [0, 10]
    assert frame["step"].dtype == np.int64
    assert math.isnan(frame["relative_l2/u"][0])
    assert frame["relative_l2/u"][1] == 0.25


def test_a_reader_sees_a_row_before_the_file_is_closed(tmp_path):
    history = History(tmp_path)
    history.append(row(1))
    assert list(read(tmp_path)["step"]) == [1]
    history.close()


def test_numbers_that_json_lacks_survive_and_every_line_is_json(tmp_path):
    with History(tmp_path) as history:
        history.append({"step": 1, "a": math.nan, "b": math.inf, "c": -math.inf})
        history.append({"step": 2, "a": 1.0, "b": 2.0, "c": 3.0})

    def refuse(text):
        raise AssertionError(text)

    for line in (tmp_path / FILE).read_text().splitlines():
        json.loads(line, parse_constant=refuse)
    first = read(tmp_path).iloc[0]
    assert math.isnan(first["a"])
    assert first["b"] == math.inf and first["c"] == -math.inf


def test_a_torn_last_line_is_left_out_and_does_not_spoil_the_next(tmp_path):
    with History(tmp_path) as history:
        history.append(row(1))
    with (tmp_path / FILE).open("a") as file:
        file.write('{"step": 2, "loss/tot')
    assert list(read(tmp_path)["step"]) == [1]
    with History(tmp_path) as history:
        history.append(row(3))
    assert list(read(tmp_path)["step"]) == [1, 3]


def test_truncate_drops_what_came_after_the_checkpoint(tmp_path):
    with History(tmp_path) as history:
        for step in (10, 20, 30):
            history.append(row(step))
    with History(tmp_path) as history:
        history.truncate(20)
        history.append(row(25))
    assert list(read(tmp_path)["step"]) == [10, 20, 25]
    steps = {step for _, step in events(tmp_path)}
    assert steps == {10, 20, 25}
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".new")] == []


def test_tensorboard_holds_the_same_numbers(tmp_path):
    with History(tmp_path) as history:
        history.append(row(4, **{"unknown/nu": 0.125}))
    found = events(tmp_path)
    assert found["unknown/nu", 4] == 0.125
    assert found["loss/total", 4] == pytest.approx(0.2)


def test_only_an_enabled_history_writes(tmp_path):
    with History(tmp_path / "run", enabled=False) as history:
        history.append(row(1))
        history.truncate(0)
    assert not (tmp_path / "run").exists()


def test_a_run_without_metrics_gives_an_empty_frame(tmp_path):
    frame = read(tmp_path)
    assert len(frame) == 0 and "step" in frame


@pytest.mark.parametrize(
    "line",
    [
        '{"step": [1]}',
        '{"step": -Infinity}',
        '{"step": 1, "loss/total": {}}',
        "[" * 99_999,
        '{"step": 1, "loss/total": 1' + "0" * 400 + "}",
        '{"step": 1, "\\ud800": 1}',
    ],
)
def test_a_line_that_nobody_wrote_does_no_harm(tmp_path, line):
    (tmp_path / FILE).write_text('{"step": 1, "seconds": 1}\n' + line + "\n")
    with History(tmp_path) as history:
        history.truncate(1)
    assert read(tmp_path)["step"][0] == 1
