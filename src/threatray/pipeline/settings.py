"""Tables of a TOML file to validated dataclasses: no key is ignored, no value is coerced."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from threatray.errors import ConfigError

T = TypeVar("T")


def from_table(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from a TOML table.

    Args:
        kind: The dataclass; nested dataclasses, enums, paths, tuples and mappings are understood.
        table: The table.
        where: What to call it in errors, e.g. ``project.toml, [train]``.

    Raises:
        ConfigError: An unknown key (with the keys that exist and the nearest one), a missing one, a value of another type.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Oven:
        ...     heat: int = 180
        >>> from_table(Oven, {"heta": 200}, "oven.toml")
        Traceback (most recent call last):
        threatray.errors.ConfigError: oven.toml: unknown key 'heta'; did you mean 'heat'? Keys: heat.
    """
    return _build(kind, None, table, where)


def _build(kind: type[T], base: T | None, table: Mapping[str, Any], where: str) -> T:
    """``base``, if there is one, gives the values of the keys that the table leaves out."""
    hints = typing.get_type_hints(kind)
    known = [field.name for field in fields(kind) if field.init]  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
            hint = f"; did you mean '{near[0]}'?" if near else "."
            raise ConfigError(f"{where}: unknown key '{key}'{hint} Keys: {', '.join(known)}.")
    given: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        default = _default(field) if base is None else getattr(base, field.name)
        if field.name in table:
            given[field.name] = _value(hints[field.name], table[field.name], f"{where}, {field.name}", default)
        elif field.init and default is MISSING:
            raise ConfigError(f"{where}: the key '{field.name}' is missing.")
        elif field.init:
            given[field.name] = default
    return kind(**given)


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _value(kind: Any, value: Any, where: str, default: Any = None) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _value(arguments[0], value, where)
    if origin in (typing.Union, types.UnionType):
        return _one_of(arguments, value, where)
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(where, "a table", value)
        return {_value(arguments[0], key, where): _value(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise _wrong(where, "a table", value)
        return _build(kind, default if isinstance(default, kind) else None, value, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = [member.value for member in kind]
        if value not in choices:
            raise _wrong(where, f"one of {', '.join(map(repr, choices))}", value)
        return kind(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and type(value) in (int, float):
        return float(value)
    if type(value) is not kind:
        raise _wrong(where, kind.__name__, value)
    return value


def _one_of(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    for argument in arguments:
        if argument is not type(None):
            return _value(argument, value, where)
    raise _wrong(where, "nothing", value)


def _tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, "an array", value)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_value(arguments[0], item, f"{where}[{place}]") for place, item in enumerate(value))
    if len(value) != len(arguments):
        raise _wrong(where, f"{len(arguments)} values", value)
    return tuple(_value(kind, item, f"{where}[{place}]") for place, (kind, item) in enumerate(zip(arguments, value, strict=True)))


def _wrong(where: str, expected: str, value: Any) -> ConfigError:
    return ConfigError(f"{where}: expected {expected}, got {value!r} ({type(value).__name__}).")
