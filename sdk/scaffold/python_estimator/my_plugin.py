"""What it is, and where it was published."""

import numpy

import lopt
from lopt import estimators


class MyPlugin(lopt.GradientEstimator):
    """Antithetic evolution strategies through whole problems: (L(θ + ε) − L(θ − ε)) / (2σ²) · ε."""

    def __init__(
        self,
        tasks: int = lopt.setting(8, at_least=1, doc="pairs of perturbations"),
        unroll_length: int = lopt.setting(10, at_least=1, unit="steps", doc="of a problem"),
        std: float = lopt.setting(0.01, above=0, doc="σ"),
    ):
        self.tasks, self.std, self.problem_steps = tasks, std, unroll_length

    def init(self, theta, key, unroller):
        return {}

    def estimate(self, theta, key, state, unroller):
        keys = estimators.split(key, self.tasks)
        noise = [estimators.normal_like(k, theta, self.std) for k in keys]
        thetas = [lopt.tree.map(lambda t, e: t + sign * e, theta, n) for n in noise for sign in (1, -1)]
        lanes = unroller.start([(t, keys[i // 2], i // 2) for i, t in enumerate(thetas)])
        losses = unroller.unroll(lanes, thetas, steps=self.problem_steps).losses.mean(1)
        slopes = (losses[0::2] - losses[1::2]) / (2 * self.std**2)
        gradient = lopt.tree.map(lambda *e: numpy.float32(sum(s * x for s, x in zip(slopes, e)) / self.tasks), *noise)
        return losses.mean(), gradient, state
