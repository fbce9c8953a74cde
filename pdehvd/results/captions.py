"""Captions of the pictures of a report."""

from __future__ import annotations

from collections.abc import Collection, Mapping

_CAPTIONS = {
    "error": "Relative error against the reference.",
    "residuals": "The residuals of the equations; they are zero where an equation holds.",
    "learning_rate": "Learning rate of the optimizer.",
    "method": "Quantities that the optimizer logs.",
    "unknowns": "Unknowns of the inverse problem during training.",
    "monitors": "Monitors during training.",
    "weights": "Weights of the terms of the loss.",
    "fit": "The network's values over the measured ones: on the line they are equal.",
    "sample_errors": "Relative L2 errors of the held-out samples.",
}
_MEASURED = {
    "solution": " Circles or dots: measured values, on the section or close to it.",
    "slices": " Dots: measured values at about these times.",
}


def caption(
    name: str,
    known: Collection[str],
    terms: int,
    measured: Collection[str] = (),
    labels: Mapping[str, str] | None = None,
) -> str:
    """Return the caption of a picture.

    `known` are the fields of which the reference knows values, `terms` counts those of the loss,
    `measured` are the fields of which tables hold values, `labels` what fields are called.
    """
    field = name.partition("_")[2]
    shown = measured if name == "solution" else {field} & set(measured)
    return _shown(name, known, terms, labels or {}) + (
        _MEASURED.get(name.partition("_")[0], "") if shown else ""
    )


def _shown(name: str, known: Collection[str], terms: int, labels: Mapping[str, str]) -> str:
    kind, _, field = name.partition("_")
    if name == "loss":
        several = "The loss, a weighted sum, and its terms without their weights."
        return several if terms > 1 else "The loss."
    if name == "samples":
        return "Held-out samples: inputs and network" + (
            ", reference and difference." if known else "."
        )
    if name == "solution":
        return "The network's solution" + (", the reference, and the error." if known else ".")
    label = labels.get(field, field)
    if kind == "solution":
        rest = ", the reference and their difference." if field in known else "."
        return f"{label}: the network's solution{rest}"
    if kind == "slices":
        rest = ", and the reference." if field in known else "."
        return f"{label} at several times: the network's solution{rest}"
    return _CAPTIONS.get(name, name.replace("_", " "))
