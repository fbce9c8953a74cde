"""Bad configs: the shipped ones with keys, values, lines or bytes changed at random."""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path
from random import Random
from typing import Any

import yaml

from pdehvd.config.yaml_source import read_source
from pdehvd.spec.plain import as_table
from scripts.fuzz.judge import Case

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
_NUMBERS = [0, -1, 1, 2, 3.7, 0.0, -0.5, 2**31, 2**63, -(2**63), 10**30, 10**400, 1e308, 1e-320]
_NUMBERS += [math.nan, math.inf, -math.inf, 10**6, 10**9]
_TEXTS = ["", " ", "\0", "ü", "🎉", "\x1b[31mred", "\u202eleft", "a" * 3000, "x\ny", "%s{0}", "~"]
_TEXTS += ["9**9**9**9", "((((((x))))))", "u_xxxx", "u_n", "x = 0", "1/0", "__import__('os')"]
_TEXTS += ["../../../etc/passwd", "/dev/zero", ".", "1e400", "0x1F", "12:30", "=", "null", "nan"]
_TEXTS += ["import", "lambda", "None", "name", "t", "pi", "u.v", "1j", "x" + "+x" * 500, "²", "٣"]
_NAMES = [
    "name",
    "path",
    "data",
    "on",
    "at",
    "integral",
    "steps",
    "fields",
    "constants",
    "__class__",
]
_NAMES += [
    "",
    "é",
    "<<",
    "0",
    "u",
    "x",
    "pi",
    "equations",
    "model_config",
    "x" * 300,
    "a b",
    "\x1b[0m",
]
_PIECES = ["u", "u_x", "x", "t", "pi", "+", "-", "*", "**", "^", "/", "(", ")", "[", ",", "=", "<"]
_PIECES += [
    "sin(",
    "where(",
    "1e308",
    "0",
    ".",
    "9**9",
    "if",
    "é",
    "\\",
    "'",
    "#",
    "max(",
    "log(0)",
]
_SYMBOLS = ["x", "t", "u", "u_x", "u_t", "u_xx", "v", "p", "nu", "+", "-", "*", "/", "(", ")", "^2"]
_SYMBOLS += ["pi", "0", "1", "1e-3", "sin(x)", "exp(u)", "=", "<", ",", "x = 0", "1/0", "sqrt(-1)"]
_LINES = [
    "key: &a [*a]",
    "<<: *missing",
    "<<: {name: x}",
    "? [a, b] : c",
    "--- ",
    "...",
    "%YAML 9.9",
]
_LINES += ["\tname: x", "x: !!python/object/apply:os.system ['touch pwned']", "y: !!binary aGk="]
_LINES += ["z: !!set {a, b}", "w: !mine {}", "a: &b {<<: *b}", ": ", "- x", "name: 'open", "{", "]"]
_LINES += ["k: !!float ''", "d: 2001-12-14", "i: !!int '１２'", "n: !!null x", "s: !!str [a]", "\0"]


def bases() -> list[dict[str, Any]]:
    """Return the shipped configs with few points, so that a check takes no time."""
    found = []
    for path in sorted(CONFIGS.glob("*.yaml")):
        data = read_source(path).data
        # Solved at once, and for some seconds or minutes where a coefficient is another one.
        problem, sampling = as_table(data["problem"]), as_table(data["sampling"])
        if as_table(problem.get("reference")).get("name") in ("allen_cahn", "schrodinger"):
            del problem["reference"]
        small = {"equations": 64, "conditions": 16, "batch": 4, "samples": 20, "held_out": 2}
        data["sampling"] = {
            key: min(value, small[key]) if key in small and isinstance(value, int) else value
            for key, value in sampling.items()
        }
        found.append(data)
    return found


def paths(data: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values below the root."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    found = []
    for key, value in items:
        found.append((*above, key))
        if isinstance(value, dict | list):
            found += paths(value, (*above, key))
    return found


def at(data: Any, path: tuple[Any, ...]) -> Any:
    """Return the value at a path."""
    for part in path:
        data = data[part]
    return data


def deep(rng: Random) -> Any:
    """Return lists or mappings inside each other."""
    value: Any = 0
    for _ in range(rng.choice([3, 30, 45, 150])):
        value = [value] if rng.random() < 0.5 else {"name": value}
    return value


def _number(rng: Random, value: float) -> Any:
    changes = [-value, value * 1e9, value * 10, value + 1, str(value), [value], value + 0.5]
    return rng.choice(changes)


def _text(rng: Random, value: str) -> str:
    """Return a text with a few pieces put in, taken out or exchanged."""
    for _ in range(rng.randint(1, 3)):
        i = rng.randint(0, len(value))
        j = min(len(value), i + rng.randint(0, 3))
        value = value[:i] + rng.choice([*_PIECES, ""]) + value[j:]
    return value


def _value(rng: Random, value: Any) -> Any:
    """Return something else than a value, near to it or far from it."""
    if isinstance(value, str) and rng.random() < 0.5:
        return _text(rng, value)
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.5:
        return _number(rng, value)
    other = [None, True, False, [], {}, [value], {"name": value}, [[]], [None], {"": ""}, deep(rng)]
    return rng.choice([rng.choice(_NUMBERS), rng.choice(_TEXTS), rng.choice(other)])


def gentle(rng: Random, data: dict[str, Any]) -> str:
    """Change one value into another of its type, in place: most of these pass validation."""
    leaves = [path for path in paths(data) if not isinstance(at(data, path), dict | list)]
    if not leaves:
        return "nothing"
    path = rng.choice(leaves)
    holder, key = at(data, path[:-1]), path[-1]
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int):
        changes = [0, 1, 2, 3, value - 1, value + 1, value * 7, value * 1000, value // 2]
        holder[key] = rng.choice(changes)
    elif isinstance(value, float):
        holder[key] = rng.choice([0.0, value * 1e3, -value, value * 1e-9, 1e300, 1.0])
    elif rng.random() < 0.6:
        symbols = [text for text in re.split(r"(\W)", str(value)) if text]
        for _ in range(rng.randint(1, 2)):
            start = rng.randint(0, len(symbols))
            del symbols[start : start + rng.randint(0, 1)]
            symbols.insert(rng.randint(0, len(symbols)), rng.choice(_SYMBOLS))
        holder[key] = "".join(symbols)
    else:
        texts = [other for other in leaves if isinstance(at(data, other), str)]
        holder[key] = at(data, rng.choice(texts or leaves))
    return f"gentle {'.'.join(map(str, path))}"


def mutated(rng: Random, data: dict[str, Any]) -> str:
    """Change a config in place and return what was done."""
    path = rng.choice(paths(data))
    holder, key = at(data, path[:-1]), path[-1]
    what = rng.choice(["value", "value", "value", "drop", "rename", "swap", "copy", "add"])
    if what == "value":
        holder[key] = _value(rng, holder[key])
    elif what == "drop":
        del holder[key]
    elif what == "rename" and isinstance(holder, dict):
        near = key[:-1] + rng.choice(["x", "", "s"])
        holder[rng.choice([near, rng.choice(_NAMES)])] = holder.pop(key)
    elif what == "add" and isinstance(holder, dict):
        holder[rng.choice(_NAMES)] = _value(rng, holder[key])
    else:
        other = rng.choice(paths(data))
        place, last = at(data, other[:-1]), other[-1]
        mine, theirs = copy.deepcopy(holder[key]), copy.deepcopy(place[last])
        place[last] = mine
        if what == "swap" and path[: len(other)] != other and other[: len(path)] != path:
            holder[key] = theirs
    return f"{what} {'.'.join(map(str, path))}"


def spoiled(rng: Random, text: str) -> bytes:
    """Return a config's bytes with lines or bytes changed."""
    lines = text.splitlines(keepends=True)
    what = rng.randrange(8)
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    if what == 0:
        lines[i], lines[j] = lines[j], lines[i]
    elif what == 1:
        lines.insert(i, lines[j])
    elif what == 2:
        lines[i] = " " * rng.randint(0, 5) + lines[i].lstrip()
    elif what <= 4:
        indent = len(lines[i]) - len(lines[i].lstrip())
        lines.insert(i, " " * indent + rng.choice(_LINES) + "\n")
    raw = "".join(lines).encode()
    if what == 5:
        return raw[: rng.randrange(len(raw))]
    if what == 6:
        return flipped(rng, raw)
    if what == 7:
        code = rng.choice(["utf-16", "utf-32", "utf-8-sig", "cp1252"])
        return raw.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n"])).decode().encode(code)
    return raw


def flipped(rng: Random, raw: bytes) -> bytes:
    """Return bytes of which one to twenty are others."""
    result = bytearray(raw)
    for _ in range(rng.choice([1, 1, 3, 20])):
        result[rng.randrange(len(result))] = rng.randrange(256)
    return bytes(result)


class Configs:
    """Configs that are checked, some with a setting of the command line."""

    name = "config"

    def __init__(self, root: Path) -> None:
        (root / "configs").mkdir()
        (root / "configs" / "data").symlink_to(CONFIGS / "data")
        self.bases = bases()
        self.folder = root / "configs"

    def case(self, rng: Random, number: int, folder: Path) -> Case:
        """Write a bad config and return how it is checked."""
        data = copy.deepcopy(rng.choice(self.bases))
        change = rng.choice([gentle, mutated])
        done = [change(rng, data) for _ in range(rng.choice([0, 1, 1, 1, 2, 4])) if data]
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=rng.random() < 0.5)
        raw = text.encode(errors="surrogatepass")
        if not done or rng.random() < 0.2:
            raw = spoiled(rng, text) or b"\n"
            done.append("text")
        (folder / "data").symlink_to(CONFIGS / "data")
        (folder / "case.yaml").write_bytes(raw)
        arguments = ["check", "case.yaml"]
        if data and rng.random() < 0.15:
            path = ".".join(map(str, rng.choice(paths(data))))
            value = str(rng.choice([*_NUMBERS[:-2], *_TEXTS, "[", "{}", "*a", "!!x y"]))
            arguments += ["--set", f"{path}={value}".replace("\0", "")]
            done.append(f"--set {path}")
        return Case(self.name, number, ", ".join(done), arguments, ("case.yaml", "--set"))
