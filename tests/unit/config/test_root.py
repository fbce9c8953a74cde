"""Validation against stand-in specs: what is accepted, and what the messages say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field, model_validator

from pdehvd.config import root as module
from pdehvd.config.root import dump, load_config
from pdehvd.errors import ConfigError
from pdehvd.spec import DataFile, Section, Spec, register, registry

Text = str | int | float


class Wall(Spec):
    on: str
    equal: dict[str, Text]


class Measured(Spec):
    data: DataFile
    weight: float = 1.0


class Deep(Spec):
    """Holds a section without being registered itself."""

    reference: Annotated[Any, Section("reference")] | None = None


class PDE(Spec):
    name: Literal["pde"] = "pde"
    coordinates: dict[str, list[Text]]
    fields: list[str]
    constants: dict[str, Text] = Field({})
    conditions: dict[str, Wall | Measured] = Field({})
    deep: Deep | None = None

    @model_validator(mode="after")
    def _named(self) -> PDE:
        if "w" in self.fields:
            raise ConfigError("unknown name 'w'", ("fields", 0), "a field", "u")
        if len(self.fields) > 2:
            raise ValueError("too many\nfields")
        return self


class Sobol(Spec):
    name: Literal["sobol"] = "sobol"
    equations: int = Field(ge=1)
    conditions: int | dict[str, int] = 10


class MLP(Spec):
    name: Literal["mlp"] = "mlp"
    width: int = 50
    activation: Literal["tanh", "sin"] = "tanh"
    limit: float | None = 1.0


class Adam(Spec):
    name: Literal["adam"] = "adam"
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False)


class LBFGS(Spec):
    name: Literal["lbfgs"] = "lbfgs"
    memory: int = 20


class Exact(Spec):
    name: Literal["exact"] = "exact"
    exact: str = ""


class Mean(Spec):
    exact: ClassVar[None] = None

    name: Literal["global_mean"] = "global_mean"


class Fixed(Spec):
    name: Literal["fixed"] = "fixed"


STAND_INS = {
    "problem": PDE,
    "sampling": Sobol,
    "model": MLP,
    "reference": Exact,
    "aggregation": Mean,
    "weighting": Fixed,
}
VALID = """\
name: burgers
precision: float64
problem:
  name: pde
  coordinates: {x: [-1, 1], t: [0, 2*pi]}
  fields: [u]
  constants: {nu: 0.01/pi}
  conditions:
    walls: {on: x = -1, equal: {u: 0}}
sampling: {name: sobol, equations: 100}
optimizer: {name: adam, learning_rate: 1e-3}
"""


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-ins in place of everything that is registered."""
    sections = {name: {} for name in (*STAND_INS, "optimizer")}
    monkeypatch.setattr(registry, "_sections", {**registry._sections, **sections})
    monkeypatch.setattr(module, "register_builtin", lambda: None)
    for section, spec in STAND_INS.items():
        register(section)(spec)
    register("optimizer")(Adam)
    register("optimizer")(LBFGS)


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "burgers.yaml"
    file.write_text(text)
    return file


def message(tmp_path: Path, text: str, *settings: str) -> str:
    """Return what the person is told, without the folder."""
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text), settings)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_a_valid_file_and_its_defaults(tmp_path: Path) -> None:
    config, source = load_config(write(tmp_path, VALID))
    assert config.problem.conditions["walls"].on == "x = -1"
    assert config.optimizer == Adam(learning_rate=1e-3)
    assert (config.model, config.aggregation, config.seed) == (MLP(), Mean(), 0)
    assert config.training.checkpoint_every == 1000
    assert (config.processes.cycle_time, config.scaling.mode) == (0.1, "strong")
    assert source.folder == tmp_path.resolve()
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3


def test_a_section_without_a_name_is_the_default_one(tmp_path: Path) -> None:
    text = VALID.replace("{name: adam, learning_rate: 1e-3}", "[{learning_rate: 2e-3}, lbfgs]")
    config, _ = load_config(write(tmp_path, text), ["model.width=20"])
    assert config.model == MLP(width=20)
    assert config.optimizer == (Adam(learning_rate=2e-3), LBFGS())
    said = message(tmp_path, f"{VALID}model: {{widht: 20}}\n")
    assert "model.widht: unknown key 'widht'; expected one of name, width, " in said


def test_the_file_names_the_run(tmp_path: Path) -> None:
    text = VALID.replace("name: burgers\n", "")
    file = tmp_path / "_my run (2).yaml"
    file.write_text(text)
    assert load_config(file)[0].name == "my-run-2-"


@pytest.mark.parametrize("name", ["latest", "Latest"])
def test_no_run_is_named_like_the_link_to_the_newest(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, VALID.replace("burgers", name))
    with pytest.raises(ConfigError, match=rf"burgers.yaml:1: name: '{name}' is the name of the"):
        load_config(file)
    other = tmp_path / f"{name}.yaml"
    other.write_text(VALID.replace("name: burgers\n", ""))
    with pytest.raises(ConfigError, match=rf"{name}.yaml: name: '{name}' is the name of the link"):
        load_config(other)
    assert load_config(other, ["name=mine"])[0].name == "mine"


def test_a_link_that_leads_to_itself_is_no_data_file(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    settings = ["problem.conditions.points={data: loop.csv}"]
    with pytest.raises(ConfigError, match=r"'loop\.csv' is a link that leads back to itself"):
        load_config(write(tmp_path, VALID), settings)


def test_the_resolved_config_reads_back_the_same(tmp_path: Path) -> None:
    config, _ = load_config(write(tmp_path, VALID), ["training.max_seconds=1e-7", "seed=5"])
    assert "null" not in dump(config)
    again = tmp_path / "resolved.yaml"
    again.write_text(dump(config))
    assert load_config(again)[0] == config


def test_a_null_that_replaces_a_default_is_kept(tmp_path: Path) -> None:
    config, _ = load_config(write(tmp_path, VALID), ["model={name: mlp, limit: null}"])
    again = tmp_path / "resolved.yaml"
    again.write_text(dump(config))
    assert load_config(again)[0].model.limit is None


def test_data_files_lie_beside_the_config(tmp_path: Path) -> None:
    settings = ["problem.conditions.points={data: values.csv}"]
    config, _ = load_config(write(tmp_path, VALID), settings)
    assert config.problem.conditions["points"].data == str(tmp_path.resolve() / "values.csv")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "learning_rate:",
            "lerning_rate:",
            "burgers.yaml:11: optimizer.lerning_rate: unknown key 'lerning_rate'; "
            "expected one of name, learning_rate; did you mean 'learning_rate'?",
        ),
        (
            "optimizer:",
            "optimiser:",
            "burgers.yaml:11: optimiser: unknown key 'optimiser'; expected one of name, seed, "
            "precision, problem, sampling, model, optimizer, aggregation, weighting, scaling, "
            "topology, training, processes, callbacks, output; did you mean 'optimizer'?",
        ),
        (
            "name: adam",
            "name: adma",
            "burgers.yaml:11: optimizer.name: unknown optimizer 'adma'; "
            "expected one of adam, lbfgs; did you mean 'adam'?",
        ),
        (
            "float64",
            "flaot64",
            "burgers.yaml:2: precision: got 'flaot64'; expected 'float32' or 'float64'; "
            "did you mean 'float64'?",
        ),
        (
            "equations: 100",
            "equations: many",
            "burgers.yaml:10: sampling.equations: got 'many'; expected a whole number",
        ),
        (
            "equations: 100",
            "equations: 0",
            "burgers.yaml:10: sampling.equations: got 0; expected a number of at least 1",
        ),
        (
            "equations: 100",
            "equations: 1.5",
            "burgers.yaml:10: sampling.equations: got 1.5; expected a whole number",
        ),
        (
            ", equations: 100",
            "",
            "burgers.yaml:10: sampling: the key 'equations' is missing",
        ),
        (
            ", equations: 100",
            ", equation: 100",
            "burgers.yaml:10: sampling.equation: unknown key 'equation'; "
            "expected one of name, equations, conditions; did you mean 'equations'?",
        ),
        (
            "{name: sobol, equations: 100}",
            "[1, 2]",
            "burgers.yaml:10: sampling: got a list; expected a mapping of keys to values",
        ),
        (
            "{name: sobol, equations: 100}",
            "{equations: 100}",
            "burgers.yaml:10: sampling: the sampling has no name; expected one of sobol",
        ),
        (
            "{name: adam, learning_rate: 1e-3}",
            "17",
            "burgers.yaml:11: optimizer: got 17; expected a mapping of keys to values",
        ),
        (
            "1e-3",
            ".inf",
            "burgers.yaml:11: optimizer.learning_rate: got inf; expected a finite number",
        ),
        (
            "1e-3",
            "true",
            "burgers.yaml:11: optimizer.learning_rate: got true; expected a number",
        ),
        (
            "[-1, 1]",
            "[-1, true]",
            "burgers.yaml:5: problem.coordinates.x.1: got true; expected text or a number",
        ),
        (
            "equations: 100",
            "equations: 100, conditions: {walls: false}",
            "burgers.yaml:10: sampling.conditions.walls: got false; expected a whole number",
        ),
        (
            "{on: x = -1, equal: {u: 0}}",
            "{on: x = -1, equal: {u: true}}",
            "burgers.yaml:9: problem.conditions.walls.equal.u: got true; expected text or a number",
        ),
        (
            "{on: x = -1, equal: {u: 0}}",
            "{data: a.csv, weight: .inf}",
            "burgers.yaml:9: problem.conditions.walls.weight: got inf; expected a finite number",
        ),
        (
            "0.01/pi",
            "-.inf",
            "burgers.yaml:7: problem.constants.nu: got -inf; expected text or a finite number",
        ),
        (
            "1e-3",
            "[fast]",
            "burgers.yaml:11: optimizer.learning_rate: got a list; expected a number",
        ),
        (
            "[u]",
            "u",
            "burgers.yaml:6: problem.fields: got 'u'; expected a list",
        ),
        (
            "[u]",
            "[u, 3]",
            "burgers.yaml:6: problem.fields.1: got 3; expected text",
        ),
        (
            "[u]",
            "[w]",
            "burgers.yaml:6: problem.fields.0: unknown name 'w'; expected a field; "
            "did you mean 'u'?",
        ),
        ("[u]", "[u, v, z]", "burgers.yaml:3: problem: too many fields"),
        (
            "{u: 0}}",
            "'u:0'}",
            "burgers.yaml:9: problem.conditions.walls.equal: got 'u:0'; expected a mapping of keys "
            "to values, with a space after the colon",
        ),
        (
            "0.01/pi",
            "null",
            "burgers.yaml:7: problem.constants.nu: got null; expected text or a number",
        ),
        (
            "name: burgers",
            "name: ../escape",
            "burgers.yaml:1: name: got '../escape'; "
            "expected text that matches ^[A-Za-z0-9][A-Za-z0-9._-]*$",
        ),
        (
            "equations: 100",
            "equations: 100, conditions: {walls: few}",
            "burgers.yaml:10: sampling.conditions.walls: got 'few'; expected a whole number",
        ),
        (
            "equations: 100",
            "equations: 100, conditions: few",
            "burgers.yaml:10: sampling.conditions: got 'few'; "
            "expected a whole number or a mapping of keys to values",
        ),
        (
            "equal: {u: 0}",
            "equals: {u: 0}",
            "burgers.yaml:9: problem.conditions.walls.equals: unknown key 'equals'; "
            "expected one of on, equal; did you mean 'equal'?",
        ),
        (
            "{on: x = -1, equal: {u: 0}}",
            "{data: a.csv, wieght: 2}",
            "burgers.yaml:9: problem.conditions.walls.wieght: unknown key 'wieght'; "
            "expected one of data, weight; did you mean 'weight'?",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in VALID
    assert message(tmp_path, VALID.replace(old, new)) == expected


def test_a_section_that_is_missing(tmp_path: Path) -> None:
    assert message(tmp_path, "name: x\n").splitlines() == [
        "burgers.yaml: the key 'problem' is missing",
        "burgers.yaml: the key 'sampling' is missing",
    ]


@pytest.mark.parametrize(
    ("setting", "meant"),
    [
        ("problem.num_domain=9", "sampling.equations"),
        ("sampling.num_domain=9", "equations"),
        ("training.patience=9", "early_stopping.patience"),
        ("problem.conditions.walls.width=9", ""),
        ("width=9", "model.width"),
        # `loss` is a key of another problem than this.
        ("loss=mse", ""),
    ],
)
def test_a_key_that_has_another_place(tmp_path: Path, setting: str, meant: str) -> None:
    told = message(tmp_path, VALID, setting)
    assert told.partition("did you mean ")[2] == (f"'{meant}'?" if meant else "")


def test_a_weight_inside_a_condition(tmp_path: Path) -> None:
    told = message(tmp_path, VALID, "problem.conditions.walls.weight_=9")
    assert "'weighting' is a key at the top level" in told


def test_a_bare_name_stands_for_a_section(tmp_path: Path) -> None:
    config, _ = load_config(write(tmp_path, VALID), ["optimizer=lbfgs", "optimizer.memory=7"])
    assert config.optimizer == LBFGS(memory=7)
    assert message(tmp_path, VALID, "optimizer=lbfsg") == (
        "--set optimizer: optimizer.name: unknown optimizer 'lbfsg'; "
        "expected one of adam, lbfgs; did you mean 'lbfgs'?"
    )


def test_the_chosen_spec_alone_decides_about_keys(tmp_path: Path) -> None:
    assert message(tmp_path, VALID, "optimizer={name: lbfgs, learning_rate: 1}") == (
        "--set optimizer: optimizer.learning_rate: unknown key 'learning_rate'; "
        "expected one of name, memory"
    )


def test_a_setting_is_named_instead_of_a_line(tmp_path: Path) -> None:
    assert message(tmp_path, VALID, "training.stepz=5").startswith(
        "--set training.stepz: unknown key 'stepz'; expected one of steps, checkpoint_every"
    )
    assert message(tmp_path, VALID, "training.stepz=5").endswith("did you mean 'steps'?")
    told = message(tmp_path, VALID, "trainin.steps=5")
    assert told.startswith("--set trainin.steps: trainin: unknown key 'trainin'")
    assert told.endswith("did you mean 'training'?")


def test_several_faults_take_a_line_each_and_at_most_six(tmp_path: Path) -> None:
    settings = [f"training.{key}=0" for key in ("steps", "keep", "log_every")]
    assert len(message(tmp_path, VALID, *settings).splitlines()) == 3
    settings += [f"wrong{i}=0" for i in range(4)]
    lines = message(tmp_path, VALID, *settings).splitlines()
    assert len(lines) == 6 and lines[-1] == "and 2 more"


def test_a_tag_that_is_also_a_key(tmp_path: Path) -> None:
    assert message(tmp_path, VALID, "problem.deep.reference={name: exact, exact: [1]}") == (
        "--set problem.deep.reference: problem.deep.reference.exact: got a list; expected text"
    )


def test_early_stopping_and_targets(tmp_path: Path) -> None:
    config, _ = load_config(
        write(tmp_path, VALID),
        ["training.stop_at={relative_l2: 1e-2}", "training.early_stopping={}"],
    )
    assert config.training.stop_at.relative_l2 == 1e-2
    assert config.training.early_stopping.patience == 1000
    assert "no target is given" in message(tmp_path, VALID, "training.stop_at={}")


def test_a_plugin_registers_into_sections_at_any_depth(tmp_path: Path) -> None:
    load_config(write(tmp_path, VALID))
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from typing import Literal\n"
        "from pdehvd.spec import Spec, register\n"
        '@register("reference")\n'
        "class Mine(Spec):\n"
        '    name: Literal["mine"] = "mine"\n'
        '@register("optimizer")\n'
        "class Own(Spec):\n"
        '    name: Literal["own"] = "own"\n'
    )
    settings = ["problem.deep.reference=mine", "optimizer=own"]
    config, _ = load_config(write(tmp_path, VALID), settings, [plugin])
    assert config.problem.deep.reference.name == "mine"
    assert config.optimizer.name == "own"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("bad.py", "x = 1\n\ny = 1 / 0\n", "bad.py:3: ZeroDivisionError: division by zero"),
        ("bad.py", "def f():\n    raise SystemExit\nf()\n", "bad.py:2: SystemExit"),
        ("bad.py", "x = 1\nx = = 2\n", "bad.py:2: SyntaxError: invalid syntax"),
        ("bad.py", "import no_such_module_at_all\n", "bad.py:1: ModuleNotFoundError"),
        ("bad.txt", "", "is not a Python file; expected a file that ends in .py"),
    ],
)
def test_a_plugin_that_fails(tmp_path: Path, name: str, text: str, expected: str) -> None:
    plugin = tmp_path / name
    plugin.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, VALID), (), [plugin])
    assert expected in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_plugin_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no plug-in file"):
        load_config(write(tmp_path, VALID), (), [tmp_path / "none.py"])
