"""What the tests of lopt.torch share. The first argument of the test that runs is the build folder."""

import os
import subprocess
import sys

import torch

build = os.path.abspath(sys.argv[1])
source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["LOPT_PREFIX"] = build
sys.path.insert(0, os.path.join(source, "sdk", "python", "src"))
import lopt  # noqa: E402
import lopt.torch  # noqa: E402

#: Rules that keep nothing, something, and something else than the parameters; that look at shapes; that look at the
#: loss.
RULES = ["sgd", "adam", "schedule_free", "muon", "general"]
Optimizer = lopt.torch.LearnedOptimizer


def model(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))


def batch(step):
    generator = torch.Generator().manual_seed(step)
    return torch.randn(16, 6, generator=generator), torch.randint(3, (16,), generator=generator)


def train(net, optimizer, steps, first=0, with_loss=True):
    for step in range(first, first + steps):
        x, y = batch(step)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step(loss) if with_loss else optimizer.step()


def fresh(rule, folder):
    """A learned optimizer with the weights that a meta-training of it begins with."""
    spec = (
        f"{{seed: 0, steps: 1, task: quadratic, learned_optimizer: {rule}, meta_optimizer: adam, "
        "estimator: {plugin: pes, tasks: 1, unroll_length: 1, problem_length: 1}}"
    )
    run = os.path.join(folder, rule)
    subprocess.run(
        [os.path.join(build, "bin", "lopt-run"), "train", "-", "-q", "--out", run], input=spec, text=True, check=True
    )
    return {"plugin": "learned", "theta": run}


def bits(net):
    return [p.detach().clone() for p in net.parameters()]
