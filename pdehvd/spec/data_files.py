"""The files that a config names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from pdehvd.errors import Path as PathOfKeys
from pdehvd.spec.base import Spec


class DataPath(str):
    """The absolute path of a file that a config names."""

    __slots__ = ()


def _resolved(path: str, info: ValidationInfo) -> DataPath:
    """Make a path absolute: relative ones start from the folder of the config file."""
    context = info.context or {}
    try:
        given = Path(context.get("folder", ".")) / Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"'{path}': the home directory of ~ is unknown") from error
    try:
        full = given.resolve()
    except (RuntimeError, OSError) as error:
        raise ValueError(f"'{path}' is a link that leads back to itself") from error
    return DataPath(context.get("copies", {}).get(path, full))


DataFile = Annotated[str, AfterValidator(_resolved)]
"""A file named in a config, relative to it; validation gets `context={"folder": ...}`.

`copies` in the context says, by the path in the config, what stands for a file there.
"""


def data_files(value: object, path: PathOfKeys = ()) -> Iterator[tuple[PathOfKeys, DataPath]]:
    """Yield the files that a spec names, each with its path in the YAML file."""
    if isinstance(value, DataPath):
        yield path, value
    elif isinstance(value, Spec):
        for name, field in type(value).model_fields.items():
            yield from data_files(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from data_files(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from data_files(item, (*path, index))
