"""Warnings before the training of small problems."""

import yaml

from pdehvd.assembly.build import build_problem, build_reference
from pdehvd.assembly.trust.judge import PointJudge
from pdehvd.assembly.trust.problem_scales import gather_scales
from pdehvd.config.root import prepare, validate
from pdehvd.config.yaml_source import parse_source

prepare()


def judge_of(config):
    problem = build_problem(config, 1)
    return PointJudge(config, problem, build_reference(config, problem))


def config_of(problem, **sections):
    data = {
        "precision": "float64",
        "problem": {"name": "pde", **parse_source(problem, "test").data},
        "sampling": {"name": "sobol", "equations": 64, "conditions": 16},
        "model": {"name": "mlp", "width": 8, "depth": 2},
        **sections,
    }
    return validate(parse_source(yaml.safe_dump(data, sort_keys=False), "test"))


def scales_of(config):
    problem = build_problem(config, 1)
    return gather_scales(config, problem, build_reference(config, problem))


def warnings_of(config):
    return {caution.name: caution for caution in judge_of(config).before}
