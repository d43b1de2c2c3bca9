"""Components of Python by the names that specs have: classes and objects of modules, and objects without a place in
one."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import re
import sys
from typing import Any

import numpy as np

from .component import Component, settings_of
from .errors import UsageError

_objects: dict[str, Component] = {}  # those without a place, by the names that they were given


def module_name(name: str) -> str:
    """What a spec calls a module: the file's name for the program that runs, as others import it."""
    if name == "__main__":
        file = getattr(sys.modules["__main__"], "__file__", None)
        if file and re.fullmatch(r"\w+", pathlib.Path(file).stem):
            return pathlib.Path(file).stem
    return name


def _module(name: str, wait: bool = False) -> Any:
    """`wait`: until it is whole, where another thread is importing it."""
    if name == module_name("__main__") and name != "__main__" and "LOPT_TRACER_CHILD" not in os.environ:
        return sys.modules["__main__"]
    if name in sys.modules and not wait:
        return sys.modules[name]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise UsageError(
                f"there is no Python module '{name}'; looked in {', '.join(p or os.getcwd() for p in sys.path[:4])} …; "
                "plugin_path names folders, and PYTHONPATH"
            ) from error
        raise


def find(name: str) -> Any:
    """The class or object of a name. Throws UsageError."""
    if name in _objects:
        return _objects[name]
    module, _, rest = name.rpartition(".")
    if "@" in rest:
        raise UsageError(f"'{name}' is an object of the Python program that made it, which is not there any more")
    try:
        there = _module(module)
        found = getattr(there, rest) if hasattr(there, rest) else getattr(_module(module, wait=True), rest)
    except AttributeError:
        known = [n for n, v in vars(_module(module)).items() if is_component(v)]
        raise UsageError(
            f"the Python module '{module}' has no '{rest}'" + (f"; there is {', '.join(known)}" if known else "")
        ) from None
    found = taken_over(found)
    if not is_component(found):
        raise UsageError(
            f"'{name}' is a {type(found).__name__}; a class that derives from lopt.Task, lopt.Optimizer, … or an "
            "object "
            "of one is wanted"
        )
    return found


def is_component(value: Any) -> bool:
    return (
        isinstance(value, Component)
        or isinstance(value, type)
        and issubclass(value, Component)
        and not value.__module__.startswith("lopt.")
    ) and bool(value.kind)


def taken_over(value: Any) -> Any:
    """A component for what is one in JAX: transformations of optax, tasks and optimizers of learned_optimization."""
    if is_component(value) or isinstance(value, (str, dict, os.PathLike)):
        return value
    if "jax" in sys.modules:
        from . import jax

        return jax.taken_over(value)
    return value


def spec_of(component: Component) -> dict | str:
    """What a spec has for a component: its class and settings, where those can be written, or a name for the object."""
    from . import tracer

    tracer.listen()
    cls = type(component)
    module = sys.modules.get(cls.__module__)
    for name, value in (vars(module) if module else {}).items():
        if value is component:
            return f"{module_name(cls.__module__)}.{name}"
    if cls.__module__.startswith("lopt.") or getattr(module, cls.__qualname__, None) is not cls:
        return _placed(component)
    try:
        return {
            "plugin": f"{module_name(cls.__module__)}.{cls.__qualname__}",
            **{name: plain(value) for name, value in settings_of(component).items()},
        }
    except UsageError:
        return _placed(component)


def _placed(component: Component) -> str:
    """A name for an object: that of a variable of the program, where it is one."""
    for name, known in _objects.items():
        if known is component:
            return name
    main = sys.modules["__main__"]
    for name, value in vars(main).items():
        if value is component and not name.startswith("_"):
            return f"{module_name('__main__')}.{name}"
    what = getattr(component, "name", None) or type(component).__name__.lstrip("_")
    base = f"{module_name('__main__')}.{re.sub(r'[^A-Za-z0-9_]', '_', what)}"
    name = next(n for n in (f"{base}@{i}" for i in range(1, 10**6)) if n not in _objects)
    _objects[name] = component
    return name


def plain(value: Any) -> Any:
    """What stands in a spec for a value of Python. Throws UsageError for what cannot."""
    from .runs import Run

    value = taken_over(value)
    if isinstance(value, Component):
        return spec_of(value)
    if isinstance(value, Run):
        return {"plugin": "learned", "theta": os.fspath(value.folder)}
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(plain(key)): plain(below) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(below) for below in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise UsageError(f"a {type(value).__name__} cannot stand in a spec: {value!r}")


def yaml_of(value: Any) -> str:
    """YAML on a line. A text that is YAML already, as "{plugin: adam}", stays what it is."""
    if isinstance(value, str):
        return value if value.lstrip()[:1] in ("{", "[") else json.dumps(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {yaml_of(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(yaml_of, value)) + "]"
    if isinstance(value, float) and value != value or value in (float("inf"), float("-inf")):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
    return json.dumps(value)


def spec_line(value: Any) -> str:
    """A component's spec on a line: of a component, a mapping, or YAML that stays as it is."""
    value = plain(value)
    return value if isinstance(value, str) else yaml_of(value)
