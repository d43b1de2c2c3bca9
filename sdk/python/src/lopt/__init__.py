"""Learned optimizers: meta-training of them, and what was trained as an optimizer of NumPy arrays and PyTorch models.

lopt.Optimizer          an optimizer of NumPy arrays
lopt.torch              the same as a torch.optim.Optimizer
lopt.tasks              tasks of a spec as functions of NumPy arrays
lopt.train, evaluate    run a spec, as `lopt-run train` and `lopt-run evaluate` do; what comes out is a Run
"""

from . import tasks
from .errors import DataError, LoptError, PluginError, UsageError
from .optimizer import Optimizer
from .runs import Run, evaluate, resume, train

__all__ = ["DataError", "LoptError", "Optimizer", "PluginError", "Run", "UsageError", "evaluate", "resume", "tasks", "train"]
