"""What it is, and where it was published."""

import lopt
import lopt.numpy as np


class MyPlugin(lopt.Task):
    """A quadratic bowl whose axes differ in steepness, seen with noise."""

    def __init__(
        self,
        condition: float = lopt.setting(30.0, at_least=1, doc="the steepest over the flattest"),
        size: int = lopt.setting(10, at_least=1, doc="parameters"),
    ):
        self.condition, self.size = condition, size

    def init(self, key):
        return {"x": lopt.random.normal(key, (self.size,))}

    def loss(self, params, batch, key):
        steepness = np.linspace(1.0, self.condition, self.size) / self.condition
        return np.mean(steepness * (params["x"] - 0.1 * lopt.random.normal(key, (self.size,))) ** 2)
