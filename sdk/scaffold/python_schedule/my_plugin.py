"""What it is, and where it was published."""

import lopt
import lopt.numpy as np


class MyPlugin(lopt.Schedule):
    """A wave: value · (1 + cos(2π step / period)) / 2."""

    def __init__(
        self,
        value: float = lopt.setting(0.1, at_least=0, doc="at its crests"),
        period: float = lopt.setting(100.0, above=0, unit="steps", doc="from crest to crest"),
    ):
        self.value, self.period = value, period

    def rate(self, context):
        return self.value * 0.5 * (1 + np.cos(context.step * (2 * np.pi / self.period)))
