import json
import re

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.results.evaluate import evaluate
from pdehvd.results.tables import show_errors


def test_errors_are_those_of_the_definition(fake, tmp_path):
    run = fake()
    result = evaluate(run, count=900)
    axis = np.meshgrid(np.linspace(-1, 1, 30), np.linspace(0, 1, 30), indexing="ij")
    points = np.stack(axis, axis=-1).reshape(-1, 2)
    truth, error = run.functions["u"](points), 0.02 * np.cos(5 * points[:, 0])
    assert result["points"] == 900
    expected = np.linalg.norm(error) / np.linalg.norm(truth)
    assert result["relative_l2"]["u"] == pytest.approx(expected, rel=1e-9)
    assert result["maximum_error"]["u"] == pytest.approx(np.abs(error).max(), rel=1e-9)
    assert result["rmse"]["u"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
    assert json.loads((tmp_path / "evaluation.json").read_text()) == result


@pytest.mark.parametrize("shape", ["line", "plane_shape", "space_time"])
def test_every_kind_of_domain_is_evaluated(fake, shape):
    errors = evaluate(fake(shape), count=1000)["relative_l2"]
    assert 0 < errors["u"] < 0.1


def test_a_constant_counts_unless_the_reference_leaves_it_free(fake):
    fixed = evaluate(fake(shift=5.0), count=400)["maximum_error"]["u"]
    free = evaluate(fake(shift=5.0, free=("u",)), count=400)
    assert fixed > 4.9
    assert free["maximum_error"]["u"] < 0.05
    assert free["up_to_constant"] == ["u"]


def test_a_run_without_reference_has_its_residuals(fake, tmp_path, capsys):
    run = fake(reference=False)
    run.unknowns = {"nu": 0.011}
    result = evaluate(run)
    assert result["residuals"] == {"equation/momentum": {"trained": 1e-3, "fresh": 2e-3}}
    assert json.loads((tmp_path / "evaluation.json").read_text()) == result
    show_errors(result)
    printed = capsys.readouterr().out
    assert "no reference" in printed
    assert re.search(r"equation/momentum +0.001 +0.002", printed)
    assert re.search(r"nu +0.011", printed)


def test_points_where_the_reference_is_unknown_are_counted(fake):
    run = fake()
    exact = run.functions["u"]
    run.reference.functions["u"] = lambda p: np.where(p[:, 1] > 0.99, np.nan, exact(p))
    result = evaluate(run, count=900)
    assert result["points_without_reference"] == 30
    assert result["relative_l2"]["u"] < 0.1


def test_a_reference_without_values_is_an_error(fake):
    run = fake()
    run.reference.functions["u"] = lambda p: np.full(len(p), np.nan)
    with pytest.raises(ConfigError, match="no finite value"):
        evaluate(run, count=100)


def test_unknowns_are_compared_with_their_true_values(fake):
    run = fake()
    run.unknowns = {"nu": 0.011, "other": 1.0}
    run.reference.unknowns = {"nu": 0.01}
    found = evaluate(run, count=100)["unknowns"]
    assert set(found) == {"nu"}
    assert found["nu"]["error"] == pytest.approx(0.1)


def test_errors_at_single_values_of_a_parameter_show_where_a_solution_is_bad(fake, capsys):
    run = fake("parameter")
    result = evaluate(run, count=1000)
    places = result["at_values"]
    assert [round(one["at"]["a"], 9) for one in places] == [0.01, 0.1, 1.0]
    for one in places:
        chosen = evaluate(run, count=1000, at=one["at"])
        assert chosen["relative_l2"] == one["relative_l2"] and "at_values" not in chosen
        assert chosen["at"] == one["at"] and "residuals" not in chosen
    show_errors(result)
    assert re.search(r"a +relative l2 of u\n0\.01 ", capsys.readouterr().out)
