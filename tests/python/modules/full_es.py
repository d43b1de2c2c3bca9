"""An estimator of meta-gradients."""

import numpy

import lopt
from lopt import estimators


class FullEs(lopt.GradientEstimator):
    """Antithetic evolution strategies through whole problems."""

    def __init__(self, tasks: int = 2, steps: int = 5, std: float = 0.01):
        self.tasks, self.steps, self.std, self.problem_steps = tasks, steps, std, steps

    def init(self, theta, key, unroller):
        return {"count": numpy.float32(0)}

    def estimate(self, theta, key, state, unroller):
        keys = estimators.split(key, self.tasks)
        noise = [estimators.normal_like(k, theta, self.std) for k in keys]
        thetas = [lopt.tree.map(lambda t, e: t + s * e, theta, n) for n in noise for s in (1, -1)]
        lanes = unroller.start([(t, keys[i // 2], i // 2) for i, t in enumerate(thetas)])
        losses = unroller.unroll(lanes, thetas, steps=self.steps).losses.mean(1)
        slopes = (losses[0::2] - losses[1::2]) / (2 * self.std**2)
        gradient = lopt.tree.map(lambda *e: numpy.float32(sum(s * x for s, x in zip(slopes, e)) / self.tasks), *noise)
        return losses.mean(), gradient, {"count": state["count"] + 1}
