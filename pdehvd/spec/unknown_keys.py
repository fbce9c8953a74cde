"""Unknown keys of a config, and which key was probably meant."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from pdehvd.errors import ConfigError, Path, nearest, same
from pdehvd.spec.keys import valid_keys
from pdehvd.spec.plain import has, item


def unknown_key(
    path: Path, model: type[BaseModel], data: object, keys: Sequence[str]
) -> ConfigError:
    """Return the error of the key at `path`, which may hold `keys`."""
    key = str(path[-1])
    message, valid = f"unknown key '{key}'", "one of " + ", ".join(keys)
    near = _here(key, path[:-1], keys) or _begun(key, keys)
    near = near or _deeper(key, path[:-1], model, data, keys)
    top = same(key, model.model_fields) if len(path) > 1 and not near else ""
    if top:
        return ConfigError(f"{message} here: '{top}' is a key at the top level", path, valid)
    near = near or _elsewhere(key, path[:-1], model, data) or nearest(key, keys)
    return ConfigError(message, path, valid, near)


def _here(key: str, path: Path, keys: Sequence[str]) -> str:
    """Return the key of this section that says the same; a synonym may name the section."""
    section = ".".join(map(str, path))
    near = same(key, [*keys, *(f"{section}.{one}" for one in keys)])
    return near.removeprefix(f"{section}.")


def _begun(key: str, keys: Sequence[str]) -> str:
    """Return the only key that begins as the start of a word does, such as `initial` for `init`."""
    longer = [one for one in keys if len(key) > 2 and one.startswith(key)]
    return longer[0] if len(longer) == 1 else ""


def _deeper(key: str, path: Path, model: type[BaseModel], data: object, keys: Sequence[str]) -> str:
    """Return the key with the section around it that stands one level deeper, or an empty text."""
    found = []
    # The name of a section chooses its keys.
    for own in (one for one in keys if one != "name"):
        section = _at(data, (*path, own))
        # What it holds already, its name first of all, says which keys it may have.
        changed = _with(data, (*path, own), section if isinstance(section, dict) else {})
        if key in valid_keys(model, changed, (*path, own)):
            found.append(f"{own}.{key}")
    return found[0] if len(found) == 1 else ""


def _at(data: object, path: Path) -> object:
    """Return what stands at a path of the data; None where nothing does."""
    for part in path:
        data = item(data, part) if has(data, part) else None
    return data


def _with(data: object, path: Path, value: object) -> object:
    """Return a copy of the data with another value at the path."""
    if not path:
        return value
    if isinstance(data, list | tuple):
        return [
            _with(item, path[1:], value) if index == path[0] else item
            for index, item in enumerate(data)
        ]
    known = data if isinstance(data, dict) else {}
    return {**known, path[0]: _with(known.get(path[0]), path[1:], value)}


def _elsewhere(key: str, path: Path, model: type[BaseModel], data: object) -> str:
    """Return the full path of a key that another section knows, or an empty string.

    Deep in a section, where a key has a meaning of its own, only what is foreign to all is taken.
    """
    sections = [section for section in model.model_fields if path[:1] != (section,)]
    given = data if isinstance(data, dict) else {}
    known = {
        section: valid_keys(model, {section: None, **given}, (section,)) for section in sections
    }
    dotted = [f"{section}.{one}" for section in sections for one in known[section]]
    found = [f"{section}.{same(key, known[section])}" for section in sections]
    likely = (one for one in found if one in dotted and not one.endswith(".name"))
    return same(key, dotted) or ("" if len(path) > 1 else next(likely, ""))
