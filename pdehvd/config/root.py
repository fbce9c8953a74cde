"""From a YAML file to a validated, frozen config."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from pdehvd.comm.aggregation import Aggregation
from pdehvd.config.data_record import check_there, copies, missing_plugins
from pdehvd.config.files import LocatedError
from pdehvd.config.messages import explain_validation_error
from pdehvd.config.overrides import override
from pdehvd.config.plugins import load_plugins
from pdehvd.config.yaml_source import YamlSource, read_source, to_yaml
from pdehvd.errors import ConfigError
from pdehvd.launch.processes_spec import ProcessesSpec, ScalingSpec
from pdehvd.launch.topology_spec import TopologySpec
from pdehvd.objectives.weighting import Weighting
from pdehvd.optimizers.base import OptimizerSpec
from pdehvd.spec import Section, Spec
from pdehvd.training.callback import CallbackSpec
from pdehvd.training.spec import TrainingSpec

SECTIONS = (
    "problem",
    "coefficient",
    "reference",
    "sampling",
    "model",
    "norm",
    "optimizer",
    "learning_rate",
    "aggregation",
    "weighting",
    "callback",
)
_MODULES = (
    "pdehvd.problems.pde",
    "pdehvd.problems.parametric",
    "pdehvd.problems.sampling",
    "pdehvd.problems.samples",
    "pdehvd.reference",
    "pdehvd.reference.on_grid",
    "pdehvd.models.mlp",
    "pdehvd.models.pyramid",
    "pdehvd.models.unet",
    "pdehvd.models.generator",
    "pdehvd.optimizers.first_order",
    "pdehvd.optimizers.layerwise",
    "pdehvd.optimizers.quasi_newton",
    "pdehvd.optimizers.gauss_newton",
    "pdehvd.optimizers.kfac",
    "pdehvd.optimizers.soap",
    "pdehvd.comm.aggregation",
    "pdehvd.objectives.weighting",
)


def _shape(value: object) -> str:
    return "phases" if isinstance(value, list | tuple) else "one"


# What a section may name is known when plug-ins are loaded; its kind knows what it offers.
_Named: TypeAlias = Any
_One = Annotated[OptimizerSpec, Section("optimizer", default="adam")]
Phased = Annotated[
    Annotated[_One, Tag("one")] | Annotated[tuple[_One, ...], Field(min_length=1), Tag("phases")],
    Discriminator(_shape),
]
"""One optimizer, or a list of phases."""


class Config(Spec):
    """The config of a run."""

    name: str = Field(
        default="run",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        description="name of the run's folder; by default that of the file",
    )
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="determines initial weights and points"
    )
    precision: Literal["float32", "float64"] = Field(
        default="float32", description="floating-point type of the run"
    )
    problem: Annotated[_Named, Section("problem")]
    sampling: Annotated[_Named, Section("sampling")]
    model: Annotated[_Named, Section("model", default="mlp")] = Field(
        default="mlp", validate_default=True
    )
    optimizer: Phased = Field(default="adam", validate_default=True)
    aggregation: Annotated[Aggregation, Section("aggregation", default="global_mean")] = Field(
        default="global_mean", validate_default=True
    )
    weighting: Annotated[Weighting, Section("weighting", default="fixed")] = Field(
        default="fixed", validate_default=True
    )
    scaling: ScalingSpec = ScalingSpec()
    topology: TopologySpec | None = Field(
        default=None, description="the cluster that `pdehvd scale --predict` assumes; null: flat"
    )
    training: TrainingSpec = TrainingSpec()
    processes: ProcessesSpec = ProcessesSpec()
    callbacks: tuple[Annotated[CallbackSpec, Section("callback")], ...] = Field(
        default=(), description="callbacks from plug-ins, at defined moments of the run"
    )
    output: str | None = Field(
        default=None, min_length=1, description="folder of the runs; null: runs"
    )

    @model_validator(mode="after")
    def _leaves_the_link(self) -> Config:
        # On some file systems names differ by more than capitals.
        if self.name.casefold() == "latest":
            raise ConfigError(
                f"'{self.name}' is the name of the link to the newest run",
                ("name",),
                "another name; by default, that of the config file",
            )
        return self

    @model_validator(mode="after")
    def _one_thread_where_exact(self) -> Config:
        if self.aggregation.exact and self.processes.threads not in (None, 1):
            raise ConfigError(
                f"the order of summation of {self.processes.threads} threads may vary, and "
                f"'{self.aggregation.name}' needs a fixed one",
                ("processes", "threads"),
                "1, or null",
            )
        return self

    @property
    def reference(self) -> Spec | None:
        """The section `problem.reference`; None where it is not given, or a problem has none."""
        section: Spec | None = getattr(self.problem, "reference", None)
        return section

    @property
    def phases(self) -> tuple[OptimizerSpec, ...]:
        """The optimizers in turn; one, where the config does not list them."""
        return self.optimizer if isinstance(self.optimizer, tuple) else (self.optimizer,)

    @property
    def keeps_memory(self) -> bool:
        """Whether the optimizer of any phase wants freed memory to be kept."""
        return any(phase.keeps_memory for phase in self.phases)

    @property
    def threaded(self) -> ProcessesSpec:
        """The section `processes` with the threads that the aggregation asks for."""
        update = {"threads": 1} if self.aggregation.exact else {}
        return self.processes.model_copy(update=update)


def register_builtin() -> None:
    """Import every module that registers specs; none of them imports TensorFlow."""
    for module in _MODULES:
        importlib.import_module(module)


def prepare(plugins: Sequence[str | Path] = ()) -> None:
    """Register what a config may name: the built-in specs, then those of plug-in files."""
    register_builtin()
    load_plugins(plugins)


def load_config(
    path: str | Path,
    settings: Sequence[str] = (),
    plugins: Sequence[str | Path] = (),
    look: bool = False,
) -> tuple[Config, YamlSource]:
    """Read and validate a config file.

    `settings` are `a.b=value` texts that override the file; `plugins` are Python files that may
    register more specs. To `look` at the run whose config it is, the copies that the run holds
    stand for data files that are missing, or are others than those.
    Raises `ConfigError` with file, line and YAML path.
    """
    source = override(read_source(path), settings)
    prepare(plugins)
    try:
        config = validate(source, copies(source.folder) if look else {})
    except ConfigError as error:
        missing = missing_plugins(source.folder)
        if not missing:
            raise
        advice = "".join(f"\nthis run was trained with --plugin {file}" for file in missing)
        raise LocatedError(f"{error}{advice}") from error
    if not look:
        with source.locating():
            check_there(source.folder, config)
    return config, source


def validate(source: YamlSource, copies: Mapping[str, str] | None = None) -> Config:
    """Return the config of what was read; `copies` stand for data files, by their paths in it.

    Raises `ConfigError` with a line per finding.
    """
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(source.name).stem).lstrip("._-")
    data = {"name": stem or "run", **source.data}
    context = {"folder": str(source.folder), "copies": copies or {}}
    try:
        return Config.model_validate(data, context=context)
    except ValidationError as error:
        raise explain_validation_error(error, source, Config) from error
    except ConfigError as error:
        raise source.located(error) from error


def dump(config: Config) -> str:
    """Return the resolved config as YAML; reading it back gives an equal config."""
    return to_yaml(config.plain())
