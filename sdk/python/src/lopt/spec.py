"""What stands behind `optimizer:` in a spec, from what Python programs write."""

import json
import os
import pathlib
import re


def mapping_text(component: str | os.PathLike | dict) -> str:
    """A component's text, of a mapping or of text that is YAML already."""
    return json.dumps(component) if isinstance(component, dict) else os.fspath(component)  # JSON is YAML


def spec_text(optimizer: str | os.PathLike | dict) -> str:
    """A spec's text: of a mapping; of text that is YAML already ("adam", "{plugin: …}"); of a recipe's name, a run's folder
    or a file of θ, as the learned optimizer that it makes."""
    text = mapping_text(optimizer)
    if text.lstrip().startswith("{") or "\n" in text or ": " in text:
        return text
    is_plain = re.fullmatch(r"[a-z0-9_]+", text) is not None
    if is_plain and not _is_recipe(text):
        return text
    return json.dumps({"plugin": "learned", "theta": text})


def _is_recipe(name: str) -> bool:
    from ._library import prefix

    return pathlib.Path(prefix(), "share/lopt/configs/recipes", name, "theta.npz").exists()
