from pdehvd.results.comparison import least
from pdehvd.results.config_differences import differences


def test_a_section_that_is_missing_is_one_value():
    found = differences([{"c": {"walls": {"on": "x = 0"}}}, {"c": {}}])
    assert found == [(("c", "walls"), [{"on": "x = 0"}, None])]


def test_phases_are_compared_one_by_one():
    one = {"optimizer": [{"name": "adam", "steps": 5}, {"name": "lbfgs"}]}
    other = {"optimizer": [{"name": "adam", "steps": 6}, {"name": "lbfgs"}]}
    assert differences([one, other]) == [(("optimizer", 0, "steps"), [5, 6])]
    (single,) = differences([one, {"optimizer": {"name": "adam"}}])
    assert single[0] == ("optimizer",)


def test_lists_of_numbers_are_values():
    assert differences([{"x": [0, 1]}, {"x": [0, 2]}]) == [(("x",), [[0, 1], [0, 2]])]


def test_equal_configs_do_not_differ():
    assert differences([{"a": {"b": 1}}] * 3) == []


def test_the_least_is_marked_among_several_finite_values():
    nan = float("nan")
    assert least([3.0, 1.0, nan, 1.0]) == [False, True, False, True]
    assert least([nan, 1.0]) == [False, False]
