"""What can go wrong: a class for each exit code of the runner, with the sentence that it prints."""


class LoptError(RuntimeError):
    """Failed while running: exit code 1."""


class UsageError(LoptError):
    """A spec, a setting or a shape is wrong: exit code 2."""


class PluginError(LoptError):
    """A plugin cannot be used, or failed: exit code 3."""


class DataError(LoptError):
    """A file of data or weights, or a saved state, is damaged or missing: exit code 4."""


_CLASSES = {2: UsageError, 3: PluginError, 4: DataError}


def error_of(code: int, message: str) -> LoptError:
    return _CLASSES.get(code, LoptError)(message)


def code_of(error: LoptError) -> int:
    """The exit code that stands for an error."""
    return next((code for code, cls in _CLASSES.items() if isinstance(error, cls)), 1)
