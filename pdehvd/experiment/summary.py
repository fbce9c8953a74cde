"""What a run prints before its first step and after its last, on rank 0."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pdehvd.assembly import run_directory as folder
from pdehvd.assembly.judge import Judge, Warned
from pdehvd.assembly.kind_registry import kind_of
from pdehvd.assembly.trust.judge import far_from_reference
from pdehvd.config.root import Config
from pdehvd.errors import essence
from pdehvd.experiment.run_context import RunLocation
from pdehvd.launch import restarts
from pdehvd.objectives.base import AnyObjective
from pdehvd.spec.plain import Facts
from pdehvd.training import durable
from pdehvd.training.history import read
from pdehvd.training.monitors import in_words
from pdehvd.training.outcome import Outcome
from pdehvd.training.stepper import AnyParts


def begin(config: Config, parts: AnyParts, place: RunLocation) -> Judge[AnyObjective] | None:
    """Print notes and warnings about a problem; return who judges its result, on rank 0."""
    if not place.writes:
        return None
    for note in parts.notes:
        place.say(note)
    reference = None if parts.evaluator is None else parts.evaluator.reference
    judge = kind_of(config).judge(config, parts.objective, reference)
    _warn(place, [caution.text for caution in judge.before])
    return judge


def _warn(place: RunLocation, cautions: Sequence[str]) -> None:
    for caution in cautions:
        place.say(f"warning: {caution}")


def conclude(
    config: Config,
    parts: AnyParts,
    place: RunLocation,
    outcome: Outcome,
    profile: Facts,
    judge: Judge[AnyObjective] | None,
) -> None:
    """Write the summary on rank 0, then draw; a summary means that the numbers are complete."""
    if judge is None:
        return
    if math.isnan(outcome.loss) and outcome.status != "diverged":
        outcome = _as_before(place, outcome)
    cautions = [caution.text for caution in _judged(judge, parts, outcome)]
    summary = _summary(config, parts, place, outcome) | profile
    spread = None if outcome.status == "diverged" else judge.spread(outcome.state)
    if spread is not None:
        cautions += spread.doubts(summary["unknowns"])
        summary["spread"] = spread.facts
    summary["warnings"] = cautions
    if config.training.report and outcome.status != "diverged":
        _draw(place, summary)
    durable.write_json(place.directory / folder.SUMMARY, summary)
    wrong = far_from_reference(
        judge.relative(outcome.errors) | judge.unknown_errors(summary["unknowns"]),
        judge.deviating,
    )
    errors = ", ".join(f"{error:.3e} of {name}" for name, error in outcome.errors.items())
    place.say(
        f"{outcome.status}: {outcome.reason}; loss {outcome.loss:.3e}"
        + (f"; relative L2 error {errors}" if errors else "")
        + (f"; {wrong}" if wrong else ""),
        failure=outcome.status == "diverged",
    )
    _say_residuals(place, summary["residuals"])
    _warn(place, cautions)
    for name, value in summary["unknowns"].items():
        remark = "" if spread is None else spread.remark(name)
        place.say(f"discovered {name} = {value:.8g}{remark}")
    _say_monitors(place, parts, outcome)
    place.say(f"run: {place.directory}")


def _as_before(place: RunLocation, outcome: Outcome) -> Outcome:
    """Return the outcome of a run that had all steps before, with the losses of the last."""
    rows = read(place.directory)
    last = {} if rows.empty else rows.iloc[-1].to_dict()
    losses = {
        str(name).removeprefix("loss/"): float(value)
        for name, value in last.items()
        if str(name).startswith("loss/")
    }
    return replace(outcome, loss=losses.pop("total", math.nan), losses=losses)


def _say_residuals(place: RunLocation, residuals: Mapping[str, float]) -> None:
    """Print each term's residual, the worst first: one that is stuck hides in a sum."""
    if len(residuals) > 1:
        worst = sorted(residuals.items(), key=lambda pair: -pair[1])
        listed = ", ".join(f"{value:.3e} of {name}" for name, value in worst)
        place.say(f"root-mean-square residuals: {listed}")


def _say_monitors(place: RunLocation, parts: AnyParts, outcome: Outcome) -> None:
    expected = {} if parts.monitors is None else parts.monitors.expected
    for name, value in outcome.monitors.items():
        place.say(in_words(name, value, expected.get(name)))


def _residuals(parts: AnyParts, outcome: Outcome) -> dict[str, float]:
    """Return the root mean square residual of each term, without its weight; none of an energy."""
    if parts.objective.signed or outcome.status == "diverged":
        return {}
    return {name: math.sqrt(loss) for name, loss in outcome.losses.items()}


def _judged(judge: Judge[AnyObjective], parts: AnyParts, outcome: Outcome) -> list[Warned]:
    """Return the warnings of the problem, then those of its result."""
    if outcome.status == "diverged":
        return list(judge.before)
    return [*judge.before, *judge.after(parts.objective, outcome.state, outcome.errors)]


def _draw(place: RunLocation, summary: Facts) -> None:
    """Draw the plots and the report; a picture that fails must not lose a run."""
    from pdehvd.results import report

    try:
        report.report(place.directory, summary)
    except Exception as error:
        place.say(f"the plots could not be drawn: {type(error).__name__}: {essence(str(error))}")


def _summary(config: Config, parts: AnyParts, place: RunLocation, outcome: Outcome) -> Facts:
    state = outcome.state
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "name": config.name,
        "processes": place.group.size,
        "threads_per_process": place.threads,
        "precision": config.precision,
        "parameters": parts.objective.size,
        "points": parts.objective.points,
        "notes": list(parts.notes),
        "steps": state.step,
        "seconds": state.seconds,
        "restarts": restarts.restarts(),
        "seconds_per_step": outcome.clock.per_step,
        "points_per_second": outcome.clock.points_per_second,
        "loss": outcome.loss,
        "residuals": _residuals(parts, outcome),
        "relative_l2": outcome.errors,
        "monitors": outcome.monitors,
        "best": {"step": state.best_step, "value": state.best},
        "unknowns": {
            name: float(value) for name, value in parts.objective.unknowns(state.theta).items()
        },
        "peak_memory_mib": peak_memory(),
        "parameters_sha256": hashlib.sha256(
            np.ascontiguousarray(state.theta.numpy()).tobytes()
        ).hexdigest(),
    }


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in MiB."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10
