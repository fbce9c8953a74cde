"""What the workers train, by the name of its test: optimizers of a problem, and problems."""

from pdehvd.config.root import register_builtin
from pdehvd.spec import registered
from tests.support.launcher import CONFIGS, ROOT

# Optimizers beyond plain first order as the `optimizer` of a config.
SECOND_ORDER = {
    "lbfgs": "{name: lbfgs, memory: 10}",
    "bfgs": "bfgs",
    "ssbfgs": "ssbfgs",
    "ssbroyden": "ssbroyden",
    "normal": "{name: gauss_newton, solver: normal, damping: 1.0e-2}",
    "kernel": "{name: gauss_newton, solver: kernel, damping: 1.0e-2}",
    "spring": "{name: gauss_newton, solver: kernel, adaptive: false, line_search: true, "
    "damping: 1.0e-4, momentum: 0.8}",
    "cg": "{name: gauss_newton, solver: cg, damping: 1.0e-2, tolerance: 1.0e-12, iterations: 300}",
    "kfac": "kfac",
    "soap": "{name: soap, learning_rate: 5.0e-3, every: 4}",
    "lamb": "{name: lamb, clip_norm: 0.5, weight_decay: 1.0e-3, learning_rate: {name: constant, "
    "value: 1.0e-2, scaling: {rule: sqrt, reference_batch: 50}, warmup: 10}}",
    "phases": "[{name: adam, steps: 10, learning_rate: 1e-2}, {name: lbfgs}]",
}
_STEFAN = ROOT / "configs" / "stefan.yaml"
# 101 points: unequal shards.
_FRONT = ["sampling.equations=101", "sampling.conditions=31", "model.width=6"]
_FRONT += ["training.steps=4", "training.evaluate_every=4"]
_FIXED = ["optimizer=gauss_newton", "sampling.resample_every=null"]
_MEMBRANE = ROOT / "configs" / "membrane.yaml"
_MODES = ["sampling.equations=101", "model.width=6", "training.steps=4"]
_MODES += ["training.evaluate_every=4"]
_ROUTES = ("adam", "gauss_newton", "kfac")
# Files and settings.
PROBLEMS = {
    "front/adam": (_STEFAN, [*_FRONT, "optimizer=adam"]),
    "front/gauss_newton": (_STEFAN, [*_FRONT, "optimizer=gauss_newton"]),
    "front/kfac": (_STEFAN, [*_FRONT, "optimizer=kfac"]),
    "rods/adam": (CONFIGS / "rods.yaml", []),
    "rods/gauss_newton": (CONFIGS / "rods.yaml", _FIXED),
    **{f"modes/{name}": (_MEMBRANE, [*_MODES, f"optimizer={name}"]) for name in _ROUTES},
    "bar": (CONFIGS / "bar.yaml", []),
    "watched": (CONFIGS / "watched.yaml", []),
    "lid": (CONFIGS / "lid.yaml", []),
    "roles": (CONFIGS / "roles.yaml", []),
    "disk": (CONFIGS / "disk.yaml", []),
    "wall": (CONFIGS / "wall.yaml", []),
}
# Those of the nightly run.
MORE_PROBLEMS = (
    "front/adam",
    "front/kfac",
    "modes/gauss_newton",
    "modes/kfac",
    "rods/gauss_newton",
)
MORE_SECOND_ORDER = ("lbfgs", "bfgs", "ssbfgs", "kernel", "cg", "soap")
EXACT_METHODS = ("normal", "kfac")
MORE_EXACT_METHODS = ("kernel", "cg", "lbfgs", "soap")

register_builtin()
# All that are registered and declare to work where theta lies in pieces.
ON_PIECES = tuple(n for n, spec in registered("optimizer").items() if not spec.needs.whole)
