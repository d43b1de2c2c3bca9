"""What it is, and where it was published."""

import numpy

import lopt


class MyPlugin(lopt.Dataset):
    """Two spirals."""

    def __init__(
        self,
        turns: float = lopt.setting(1.0, above=0, doc="of each spiral"),
        count: int = lopt.setting(400, at_least=2, unit="examples", doc="of each split"),
    ):
        self.turns, self.count = turns, count

    def examples(self, split):
        random = numpy.random.default_rng(0 if split == "train" else 1)
        label = random.integers(0, 2, self.count).astype(numpy.int32)
        radius = random.uniform(0.1, 1, self.count)
        angle = 2 * numpy.pi * self.turns * radius + numpy.pi * label
        return {
            "image": (radius * numpy.stack([numpy.cos(angle), numpy.sin(angle)])).T.astype(numpy.float32),
            "label": label,
        }
