"""What `import pdehvd` offers: the specs of a run under short names, training, and stored runs."""

from __future__ import annotations

from pathlib import Path

from pdehvd.comm.aggregation import Adasum, ExactSum, GlobalMean, HalfPrecision
from pdehvd.config.root import Config as Experiment
from pdehvd.config.root import prepare
from pdehvd.errors import ConfigError, EnvironmentFault, OutsideDomainWarning, PdehvdError
from pdehvd.experiment.notebook import check, train
from pdehvd.launch.processes_spec import ElasticSpec as Elastic
from pdehvd.launch.processes_spec import ProcessesSpec as Processes
from pdehvd.launch.processes_spec import ScalingSpec as Scaling
from pdehvd.models.features import FourierFeatures, PeriodicFeatures
from pdehvd.models.generator import Generator
from pdehvd.models.mlp import MLP
from pdehvd.models.norm import BatchNorm, GroupNorm, InstanceNorm, NoNorm
from pdehvd.models.pyramid import Pyramid
from pdehvd.models.unet import UNet
from pdehvd.numerics.tracing import expression
from pdehvd.objectives.weighting import Fixed, GradientNorm, NeuralTangentKernel
from pdehvd.optimizers.first_order import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Nadam,
    RMSprop,
)
from pdehvd.optimizers.gauss_newton import GaussNewton
from pdehvd.optimizers.kfac import KFAC
from pdehvd.optimizers.layerwise import LAMB, LARS
from pdehvd.optimizers.quasi_newton import BFGS, LBFGS, SSBFGS, SSBroyden
from pdehvd.optimizers.schedule import ConstantRate, Cosine, Exponential, InverseTime, Piecewise
from pdehvd.optimizers.soap import SOAP
from pdehvd.problems.coefficients import ConstantSpec as ConstantCoefficient
from pdehvd.problems.coefficients import FormulaSpec as Formula
from pdehvd.problems.coefficients import GaussianFieldSpec as GaussianField
from pdehvd.problems.coefficients import KarhunenLoeveSpec as KarhunenLoeve
from pdehvd.problems.coefficients import TwoPhaseSpec as TwoPhase
from pdehvd.problems.condition_at_points import AtPoints
from pdehvd.problems.condition_between import Between
from pdehvd.problems.condition_data import Data
from pdehvd.problems.condition_integral import Integral
from pdehvd.problems.condition_on_region import OnRegion
from pdehvd.problems.condition_periodic import Periodic
from pdehvd.problems.hard import HardOn
from pdehvd.problems.monitors import (
    IntegralMonitor,
    MaximumMonitor,
    MinimumMonitor,
    ValueMonitor,
)
from pdehvd.problems.parameters import Column, LogUniform, Normal, UniformParameter, Values
from pdehvd.problems.parametric import FluxSpec as Flux
from pdehvd.problems.parametric import ParametricSpec as Parametric
from pdehvd.problems.pde import PDESpec as PDE
from pdehvd.problems.samples import SamplesSpec as Samples
from pdehvd.problems.sampling import GridSpec as Grid
from pdehvd.problems.sampling import HaltonSpec as Halton
from pdehvd.problems.sampling import LatinHypercubeSpec as LatinHypercube
from pdehvd.problems.sampling import RadSpec as Rad
from pdehvd.problems.sampling import SobolSpec as Sobol
from pdehvd.problems.sampling import UniformSpec as Uniform
from pdehvd.problems.scale import FieldScale
from pdehvd.problems.scale import ScaleSpec as Sizes
from pdehvd.problems.subdomain import SubdomainSpec as Subdomain
from pdehvd.problems.unknowns import UnknownSpec as Unknown
from pdehvd.reference import (
    AllenCahn,
    BurgersColeHopf,
    Exact,
    File,
    Lorenz,
    PoissonLShape,
    Schrodinger,
)
from pdehvd.reference.on_grid import BurgersGridSpec as BurgersGrid
from pdehvd.reference.on_grid import FiniteElementsSpec as FiniteElements
from pdehvd.results.stored_run import Run
from pdehvd.spec import Spec, register
from pdehvd.training.callback import Callback, CallbackSpec
from pdehvd.training.spec import EarlyStoppingSpec as EarlyStopping
from pdehvd.training.spec import StopAtSpec as StopAt
from pdehvd.training.spec import TrainingSpec as Training

__all__ = [
    "BFGS",
    "KFAC",
    "LAMB",
    "LARS",
    "LBFGS",
    "MLP",
    "PDE",
    "SGD",
    "SOAP",
    "SSBFGS",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adasum",
    "AllenCahn",
    "AtPoints",
    "BatchNorm",
    "Between",
    "BurgersColeHopf",
    "BurgersGrid",
    "Callback",
    "CallbackSpec",
    "Column",
    "ConfigError",
    "ConstantCoefficient",
    "ConstantRate",
    "Cosine",
    "Data",
    "EarlyStopping",
    "Elastic",
    "EnvironmentFault",
    "Exact",
    "ExactSum",
    "Experiment",
    "Exponential",
    "FieldScale",
    "File",
    "FiniteElements",
    "Fixed",
    "Flux",
    "Formula",
    "FourierFeatures",
    "GaussNewton",
    "GaussianField",
    "Generator",
    "GlobalMean",
    "GradientNorm",
    "Grid",
    "GroupNorm",
    "HalfPrecision",
    "Halton",
    "HardOn",
    "InstanceNorm",
    "Integral",
    "IntegralMonitor",
    "InverseTime",
    "KarhunenLoeve",
    "LatinHypercube",
    "Lion",
    "LogUniform",
    "Lorenz",
    "MaximumMonitor",
    "MinimumMonitor",
    "Nadam",
    "NeuralTangentKernel",
    "NoNorm",
    "Normal",
    "OnRegion",
    "OutsideDomainWarning",
    "Parametric",
    "PdehvdError",
    "Periodic",
    "PeriodicFeatures",
    "Piecewise",
    "PoissonLShape",
    "Processes",
    "Pyramid",
    "RMSprop",
    "Rad",
    "Run",
    "SSBroyden",
    "Samples",
    "Scaling",
    "Schrodinger",
    "Sizes",
    "Sobol",
    "Spec",
    "StopAt",
    "Subdomain",
    "Training",
    "TwoPhase",
    "UNet",
    "Uniform",
    "UniformParameter",
    "Unknown",
    "ValueMonitor",
    "Values",
    "check",
    "expression",
    "load_plugins",
    "register",
    "train",
]

prepare()


def load_plugins(*files: Path | str) -> None:
    """Register what plug-in files add, so that their specs can be part of an `Experiment`.

    `train` and `Run` are given the same files, as `plugins`. Raises `ConfigError`.

    Arguments:
        files: paths of Python files

    >>> load_plugins("docs/examples/gated_network.py")
    >>> from pdehvd.spec import registered
    >>> registered("model")["gated"](width=8).depth
    3
    """
    prepare(files)
