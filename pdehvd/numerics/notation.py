"""Notations of other programs, and how they are written here: for texts that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from pdehvd.errors import same
from pdehvd.numerics.functions import CONSTANTS, FUNCTIONS

# What is written out of functions that do not exist here, x being the argument.
_WRITTEN_OUT = {
    "pow": "x^2",
    "power": "x^2",
    "square": "x^2",
    "cbrt": "x^(1/3)",
    "cot": "1/tan(x)",
    "sec": "1/cos(x)",
    "csc": "1/sin(x)",
    "cosec": "1/sin(x)",
    "sech": "1/cosh(x)",
    "csch": "1/sinh(x)",
    "coth": "1/tanh(x)",
    "log2": "log(x)/log(2)",
    "log1p": "log(1 + x)",
    "expm1": "exp(x) - 1",
    "relu": "max(x, 0)",
    "sigmoid": "1/(1 + exp(-x))",
}
_SIGNS = {
    "²": "^2",
    "³": "^3",
    "·": "*",
    "×": "*",
    "÷": "/",
    "−": "-",
    "–": "-",
    "√": "sqrt(...)",
    "π": "pi",
    "≤": "<=",
    "≥": ">=",
    "!": "not",
}
_OF_DERIVATIVES = (
    "grad|gradient|gradients|autograd|jacobian|hessian|diff|derivative|derivatives|partial|pd|d|D"
)
_FUNCTION = "|".join(FUNCTIONS)
_NAME = r"[^\W\d]\w*"


class Advice(NamedTuple):
    """What is wrong at a position of a text, and what would be right."""

    position: int
    message: str
    expected: str


class _Names(NamedTuple):
    """The names that the text may use; fields and coordinates where the place has some."""

    known: Collection[str]
    fields: Collection[str]
    coordinates: Collection[str]

    def derivatives(self) -> str:
        field = next(iter(self.fields), "u")
        axes = list(self.coordinates)[:2] or ["x", "y"]
        names = [*(f"{field}_{axis}" for axis in axes), f"{field}_{axes[0] * 2}"]
        return f"names such as {', '.join(names)}; of expressions, diff(..., {axes[0]})"


_Rule = Callable[[re.Match[str], _Names], tuple[str, str] | None]


def advise(
    text: str,
    known: Collection[str],
    fields: Collection[str] = (),
    coordinates: Collection[str] = (),
) -> Advice | None:
    """Return advice about the first foreign notation in a text, or None where there is none."""
    names = _Names(known, fields, coordinates)
    return min(_found(text, names), key=lambda advice: advice.position, default=None)


def _found(text: str, names: _Names) -> Iterator[Advice]:
    for pattern, rule in _RULES:
        for match in re.finditer(pattern, text):
            found = rule(match, names)
            if found is not None:
                yield Advice(match.start(), *found)
                break


def _derivative(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    word = match.group().rstrip("( ")
    if re.fullmatch(r"[\w\s/]+", word) and set(re.findall(_NAME, word)) <= set(names.known):
        return None
    return f"'{word}' is not how derivatives are written", names.derivatives()


def _prime(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    """Answer `u'`; other quotation marks hold text."""
    return _derivative(match, names) if match[1] in names.known else None


def _operator(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    """Answer `lap(u)`, `nabla^2 u`, `curl(u, v)`."""
    if not names.fields:
        return None
    field = next(iter(names.fields))
    axes = [axis for axis in names.coordinates if axis not in ("t", "time")] or ["x", "y"]
    parts = ", ".join(f"{field}_{axis}" for axis in axes[:3])
    expected = f"laplacian({field}), div({parts}), or derivatives such as {parts}"
    return f"'{match.group().rstrip('( ')}' is not known", expected


def _integral(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    expected = "a condition such as {integral: u, over: x, equal: 1}"
    return f"'{match.group().strip('( ')}': an integral is a condition of its own", expected


def _attribute(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    """Answer `np.sin(`, `math.pi`, `tf.gradients(`, `u.diff(`."""
    last = match.group().rsplit(".", 1)[1].rstrip("( ")
    if re.search(rf"\.({_OF_DERIVATIVES})(_\w+)?\b", match.group()):
        return _derivative(match, names)
    if last in _WRITTEN_OUT:
        right = _WRITTEN_OUT[last]
    else:
        function = same(last, FUNCTIONS)
        right = same(last, CONSTANTS) or (f"{function}(...)" if function else "")
    word = match.group().rstrip("( ")
    if not right:
        return None
    return f"'{word}' is a library's: write {right}", "functions by name alone"


def _written_out(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    name = match.group(1)
    if name in names.known:
        return None
    return f"there is no function '{name}'", f"for example {_WRITTEN_OUT[name]}"


def _called(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    """Answer `u(x, t)` and `y(t - 1)`."""
    name, arguments = match.groups()
    derived = any(name.startswith(f"{field}_") for field in names.fields)
    if name not in names.fields and not derived:
        return None
    if all(re.fullmatch(_NAME, part.strip()) for part in arguments.split(",")):
        return f"'{name}' is called like a function", f"{name}, by its name alone"
    message = f"'{name}' is evaluated at another point: delays and shifts are not supported"
    return message, f"{name}, by its name alone"


def _subscript(_: re.Match[str], names: _Names) -> tuple[str, str] | None:
    fields = ", ".join(list(names.fields)[:5] or ["u"])
    return "not allowed in an expression: subscripts", f"names alone, such as {fields}"


def _power_of_function(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    name, power = match.groups()
    return f"'{match.group()}' is a power of a function, not of its value", f"{name}(...)^{power}"


def _bare_function(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    return f"'{match.group()}' lacks parentheses", f"{match.group(1)}(...)"


def _choice(_: re.Match[str], __: _Names) -> tuple[str, str] | None:
    return "a choice is written as a function", "where(condition, a, b)"


def _bars(_: re.Match[str], __: _Names) -> tuple[str, str] | None:
    return "'|' has no meaning", "abs(...), or 'or' between conditions"


def _joint(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    return f"'{match.group()}' has no meaning", "'and' between conditions"


def _reversed(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    """Answer `x => 0`."""
    right = f"{match[1]}="
    return f"'{match.group()}' has no meaning: write {right}", f"a comparison such as x {right} 0"


def _sign(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    sign = match.group()
    return None if sign in names.known else (f"the sign '{sign}' cannot be read", _SIGNS[sign])


def _number_with_unit(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    """Answer `5 mm` and `0.5a`; what follows is not a name that a factor was to have."""
    unit = match[2].strip()
    if {*names.known, *CONSTANTS, *FUNCTIONS} & set(re.findall(_NAME, unit)):
        return None
    message = f"the number is followed by '{unit}', which is not a name here"
    return message, "a number without a unit; a product is written with *"


def _decimal_comma(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    whole, decimals = match.groups()
    thousands = f", or {whole}{decimals}" if len(decimals) == 3 and whole.strip("+-0") else ""
    return "a comma stands in a number", f"a decimal point: {whole}.{decimals}{thousands}"


def _spaced_number(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    return "a space stands in a number", re.sub(r"\s", "", match.group())


def _exponent(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    return "the exponent of a number is written with e", f"{match[1]}e{match[2]}"


def _percent(match: re.Match[str], _: _Names) -> tuple[str, str] | None:
    return "'%' has no meaning", f"the number itself: {float(match[1]) / 100:.6g}"


def _of_expression(match: re.Match[str], names: _Names) -> tuple[str, str] | None:
    """Answer `((1 + x)*u_x)_x`."""
    axis = match[1][0] if match[1][0] in names.coordinates else match[1]
    return f"')_{match[1]}' is not how an expression is differentiated", f"diff(..., {axis})"


_UNSIGNED = r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
_RULES: tuple[tuple[str, _Rule], ...] = (
    (r"\)\s*_\{?([^\W\d_]+)\}?", _of_expression),
    (r"^\s*([-+]?\d+),(\d+)\s*$", _decimal_comma),
    (r"(?<![\w.])\d{1,3}(?:\s\d{3})+(?![\w])", _spaced_number),
    (r"(?<![\w.])(\d+\.?\d*|\.\d+)[dD]([-+]?\d+)(?!\w)", _exponent),
    (rf"^\s*([-+]?(?:{_UNSIGNED}))\s*%\s*$", _percent),
    (
        rf"^\s*[-+]?({_UNSIGNED})(?![eE][-+]?\d)\s*((?:[^\W\d_]|°)[\w\s/^*.·⁻²³-]*)$",
        _number_with_unit,
    ),
    (rf"(?<![\w.])({_NAME})(\.{_NAME})+\s*\(?", _attribute),
    (rf"(?<![\w.])(?!diff\b)({_OF_DERIVATIVES}|Derivative)\s*\(", _derivative),
    (rf"\bd(\^?\d)?({_NAME})?\s*/\s*d\w+(\^\d)?", _derivative),
    (rf"(?<!\w)d\d?{_NAME}_d{_NAME}|(?<!\w)d([^\W\d_])d([^\W\d_])(?!\w)", _derivative),
    (r"\w+_\s*\{[^}]*\}?|∂\s*\w*|\\partial\b", _derivative),
    (rf"(?<!['\"\w])({_NAME})['\"]+(?!\w)", _prime),
    (r"(?<!\w)(laplace|Laplace|Laplacian|lap|nabla|curl|rot|divergence)\s*\(|[∇Δ]", _operator),
    (r"(?<!\w)(integrate|integral|int|quad)\s*\(|∫", _integral),
    (rf"(?<![\w.])({'|'.join(_WRITTEN_OUT)})\s*\(", _written_out),
    (rf"(?<![\w.])({_NAME})\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", _called),
    (rf"(?<![\w.]){_NAME}\s*\[", _subscript),
    (rf"(?<![\w.])({_FUNCTION})\s*(?:\^|\*\*)\s*(\d+)\s*(?=\()", _power_of_function),
    (rf"(?<![\w.])({_FUNCTION})\s+{_NAME}", _bare_function),
    (r"(?<!\w)if(?!\w)|\?", _choice),
    (r"\|", _bars),
    (r"&&|;", _joint),
    (r"(?<![<>=!])=([<>])", _reversed),
    ("[" + re.escape("".join(_SIGNS)) + "](?!=)", _sign),
)
