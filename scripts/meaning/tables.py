"""Tables of numbers in random dialects."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np


def table(rng: Random, columns: Mapping[str, np.ndarray]) -> str:
    """Return the text of a table, its columns in any order, with what people leave in tables."""
    names = list(columns)
    rng.shuffle(names)
    separator = rng.choice([",", ",", ";", "\t", " ", "|"])
    comma = separator != "," and rng.random() < 0.4
    rows = [
        [repr(float(value)) for value in row]
        for row in np.stack([columns[name] for name in names], 1)
    ]
    if rng.random() < 0.3 and separator in ",;":
        names.append("note")
        rows = [[*row, rng.choice(["good", "bad", "17"])] for row in rows]
    if comma:
        rows = [[value.replace(".", ",") for value in row] for row in rows]
    if rng.random() < 0.2 and separator in ",;":
        rows = [[f'"{value}"' for value in row] for row in rows]
    lines = [separator.join(names), *(separator.join(row) for row in rows)]
    if rng.random() < 0.2 and separator in ",;":
        lines.insert(1, separator.join("[m]" for _ in names))
    if rng.random() < 0.3:
        lines.insert(0, rng.choice(["# measured on a Monday", "% from the bench", "// run 3"]))
    lines += [""] * rng.choice([1, 1, 3])
    end = rng.choice(["\n", "\n", "\r\n"])
    return rng.choice(["", "", "\ufeff"]) + end.join(lines)
