"""What it is, and where it was published."""

import lopt
import lopt.numpy as np


class Bowl(lopt.Task):
    """A quadratic bowl."""

    def __init__(self, size: int = lopt.setting(10, at_least=1, doc="parameters")):
        self.size = size

    def init(self, key):
        return {"x": lopt.random.normal(key, (self.size,))}

    def loss(self, params, batch, key):
        return np.mean(params["x"] ** 2)


class MyPlugin(lopt.TaskFamily):
    """Bowls of different sizes."""

    def __init__(self, count: int = lopt.setting(3, at_least=1, doc="how many tasks")):
        self.count = count

    def size(self):
        return self.count

    def task(self, index):
        return Bowl(size=5 * (index + 1))
