"""What every component that is written in Python has: settings, which are the arguments of its constructor.

Their names, types and defaults are what specs, `describe`, sweeps and distributions know; `lopt.setting` adds a meaning
and a range.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from .errors import UsageError


class Setting:
    """A default, and what is said of it; see `setting`."""

    def __init__(self, default: Any, facts: dict):
        self.default, self.facts = default, facts


def setting(
    default: Any = inspect.Parameter.empty,
    *,
    doc: str = "",
    unit: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: list[str] | None = None,
) -> Any:
    """What stands as the default of a constructor's argument: its default (none: a value is required), its meaning and
    range."""
    facts: dict[str, Any] = {"doc": doc, "unit": unit}
    if at_least is not None:
        facts["low"] = at_least
    if above is not None:
        facts.update(low=above, low_is_out=True)
    if at_most is not None:
        facts["high"] = at_most
    if below is not None:
        facts.update(high=below, high_is_out=True)
    if choices:
        facts["choices"] = list(choices)
    return Setting(default, {name: fact for name, fact in facts.items() if fact != ""})


class Component:
    """What all of them share."""

    kind = ""
    paper = ""  # where it was published

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "__init__" in cls.__dict__:
            _take_settings(cls)
        if not cls.__module__.startswith("lopt."):
            from . import tracer

            tracer.listen()

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        made = super().__new__(cls)
        init = cls.__init__
        if init is not object.__init__:
            try:
                made._arguments = inspect.signature(init).bind(made, *arguments, **named).arguments  # type: ignore[attr-defined]
            except TypeError:
                pass  # the constructor says it better
        return made

    def __repr__(self) -> str:
        given = [f"{name}={value!r}" for name, value in settings_of(self).items()]
        return f"{type(self).__qualname__}({', '.join(given)})"


def _take_settings(cls: type) -> None:
    """Puts plain defaults where the constructor has `setting(…)`, and keeps what was said."""
    init = cls.__dict__["__init__"]
    said = {}
    for parameter in inspect.signature(init).parameters.values():
        if isinstance(parameter.default, Setting):
            said[parameter.name] = parameter.default
    plain = lambda value: value.default if isinstance(value, Setting) else value
    required = {name for name, value in said.items() if value.default is inspect.Parameter.empty}
    if init.__defaults__ and not required:
        init.__defaults__ = tuple(map(plain, init.__defaults__))
    if init.__kwdefaults__:
        init.__kwdefaults__ = {
            name: plain(value) for name, value in init.__kwdefaults__.items() if name not in required
        }
    cls._said = said  # type: ignore[attr-defined]


def settings_of(component: Component) -> dict:
    """The arguments that its constructor got."""
    given = dict(getattr(component, "_arguments", {}))
    given.pop(next(iter(inspect.signature(type(component).__init__).parameters), "self"), None)
    for parameter in inspect.signature(type(component).__init__).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            given.update(given.pop(parameter.name, {}))
    return given


def declarations(cls: type) -> list[dict]:
    """The settings of a class, as lopt declares them. Throws UsageError for an argument that no spec could have."""
    if cls.__init__ is object.__init__:
        return []
    said = getattr(cls, "_said", {})
    try:
        hints = typing.get_type_hints(cls.__init__)
    except Exception:  # names that only a type checker knows
        hints = {}
    result = []
    for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        told = said.get(parameter.name)
        default = told.default if told else parameter.default
        declared = {
            "name": parameter.name,
            "type": _type_of(cls, parameter.name, hints.get(parameter.name), default),
            **(told.facts if told else {}),
        }
        if typing.get_origin(hints.get(parameter.name)) is typing.Literal:
            declared["choices"] = [str(choice) for choice in typing.get_args(hints[parameter.name])]
        if default is not inspect.Parameter.empty:
            declared["default"] = _default_of(declared["type"], default)
        result.append(declared)
    return result


def _type_of(cls: type, name: str, hint: Any, default: Any) -> str:
    if isinstance(default, Component):
        return default.kind  # a rate that is a schedule unless the spec says otherwise cannot be a number
    found = _type_of_hint(hint) if hint is not None else None
    if not found and default is not inspect.Parameter.empty:
        found = _type_of_value(default)
    if not found:
        raise UsageError(
            f"the argument '{name}' of {cls.__qualname__} has neither a type nor a default that a spec can have: "
            "bool, int, float, str, lists of these, or a class of lopt's components"
        )
    return found


def _type_of_hint(hint: Any) -> str | None:
    simple = {bool: "boolean", int: "integer", float: "real", str: "text"}
    lists = {int: "integers", float: "reals", str: "texts"}
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, Component):
        return "rate" if hint.kind == "schedule" else hint.kind
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return "text"
    if origin in (typing.Union, types.UnionType):
        found = [t for t in map(_type_of_hint, inner) if t]
        return "rate" if "rate" in found or "schedule" in found else found[0] if found else None
    if origin in (list, tuple) and inner:
        return lists.get(inner[0])
    return None


def _type_of_value(value: Any) -> str | None:
    if isinstance(value, Component):
        return value.kind
    if isinstance(value, (list, tuple)):
        kinds = {type(part) for part in value}
        return (
            "texts"
            if kinds == {str}
            else "integers"
            if kinds == {int}
            else "reals"
            if kinds <= {int, float} and kinds
            else None
        )
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "real"), (str, "text")):
        if isinstance(value, kind):
            return name
    return None


def _default_of(kind: str, default: Any) -> Any:
    from .objects import spec_line

    if default is None:
        return None
    if kind in ("task", "task_family", "dataset", "optimizer", "learned_optimizer", "schedule", "estimator"):
        return spec_line(default)
    return list(default) if isinstance(default, tuple) else default


def arguments_for(function: Callable, given: list) -> list:
    """As many of the arguments as the function takes by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return given
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return given
    count = sum(1 for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))
    return given[:count]
