"""What stands behind `optimizer:` in a spec, from what Python programs write."""

import json
import os
import pathlib
import re


def component_text(component: str | os.PathLike | dict | object) -> str:
    """A component's text: of a mapping, of text that is YAML already, or of a component of Python."""
    from .objects import plain, yaml_of

    value = plain(component)
    return yaml_of(value) if isinstance(value, dict) else str(value)


def spec_text(optimizer: str | os.PathLike | dict | object) -> str:
    """A spec's text: of a mapping; of text that is YAML already ("adam", "{plugin: …}"); of a recipe's name, a run's
    folder or a file of θ, as the learned optimizer that it makes."""
    text = component_text(optimizer)
    if text.lstrip().startswith("{") or "\n" in text or ": " in text or text != str(optimizer):
        return text
    is_plain = re.fullmatch(r"[a-z0-9_]+", text) is not None
    if is_plain and not _is_recipe(text):
        return text
    return json.dumps({"plugin": "learned", "theta": text})


def _is_recipe(name: str) -> bool:
    from ._library import prefix

    return pathlib.Path(prefix(), "share/lopt/configs/recipes", name, "theta.npz").exists()
