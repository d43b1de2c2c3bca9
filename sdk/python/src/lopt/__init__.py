"""Learned optimizers: meta-training of them, tasks and rules of one's own in Python, and what was trained as an
optimizer of NumPy arrays and PyTorch models.

lopt.Task, LearnedOptimizer, …   classes to derive from: what their functions compute is traced, and runs at lopt's
speed lopt.numpy, random, tree         what these functions are written with
lopt.train, evaluate, check      run a spec, as `lopt-run` does; what comes out is a Run
lopt.Optimizer                   made directly: an optimizer of NumPy arrays
lopt.torch, lopt.optax           the same for PyTorch and JAX
lopt.jax                         tasks and rules that are written in JAX
lopt.tasks                       tasks of a spec as functions of NumPy arrays
"""

from . import numpy, random, tasks, tree
from .component import setting
from .components import (
    Batches,
    Dataset,
    GradientEstimator,
    InitContext,
    LearnedOptimizer,
    Optimizer,
    Schedule,
    Task,
    TaskFamily,
    UpdateContext,
)
from .errors import DataError, LoptError, PluginError, UsageError
from .optimizer import ArrayOptimizer
from .runs import Run, check, evaluate, resume, train

__all__ = [
    "ArrayOptimizer",
    "Batches",
    "DataError",
    "Dataset",
    "GradientEstimator",
    "InitContext",
    "LearnedOptimizer",
    "LoptError",
    "Optimizer",
    "PluginError",
    "Run",
    "Schedule",
    "Task",
    "TaskFamily",
    "UpdateContext",
    "UsageError",
    "check",
    "evaluate",
    "numpy",
    "random",
    "resume",
    "setting",
    "tasks",
    "train",
    "tree",
]
