"""Optimizers in PyTorch: the same bits as by the runner and NumPy; weights that go there and come back.

usage: test_embedded_torch.py BUILD
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import numpy

from counting import main
from embedded_problem import by_python, problem, RULES, source  # finds lopt

import lopt

try:
    import torch
    import lopt.torch
except ImportError:
    torch = None

try:
    import pylo
except ImportError:
    pylo = None


@unittest.skipUnless(torch, "python3-torch is not here, so nothing of lopt.torch is tested")
class Torch(unittest.TestCase):
    def params(self):
        start, grads, losses = problem()
        return (
            {name: torch.nn.Parameter(torch.from_numpy(array.copy())) for name, array in start.items()},
            grads,
            losses,
        )

    def steps(self, params, optimizer, grads, losses):
        for grad, loss in zip(grads, losses):
            for name, p in params.items():
                p.grad = torch.from_numpy(grad[name]).to(p.dtype)
            optimizer.step(torch.tensor(loss))

    def test_the_bits_are_those_of_numpy(self):
        for rule in RULES:
            with self.subTest(rule):
                params, grads, losses = self.params()
                optimizer = lopt.torch.LearnedOptimizer(params.values(), rule, 100, axes="torch")
                self.steps(params, optimizer, grads, losses)
                for name, array in by_python(rule)[-1].items():
                    self.assertEqual(params[name].detach().numpy().tobytes(), array.tobytes(), name)

    def test_a_pytorch_model_has_the_losses_of_lopts_task(self):
        """An MLP on digits along 50 steps of two rules: loss and gradients here are PyTorch's, and there lopt's, at the
        same parameters; by Adam, whose steps do not magnify rounding, also where each goes its own way."""
        for rule in ["adam", "general"]:
            task = lopt.tasks.Task("{plugin: mlp_classifier, hidden: [32], initial_scale: 0.1, batch_size: 64}", seed=1)
            ours = task.init()
            optimizer = lopt.Optimizer(rule, ours, 50)
            theirs = {name: torch.nn.Parameter(torch.from_numpy(array.T.copy())) for name, array in ours.items()}
            other = lopt.torch.LearnedOptimizer(theirs.values(), rule, 50)
            w = {dimensions: [name for name in ours if ours[name].ndim == dimensions] for dimensions in (1, 2)}
            self.assertEqual(len(ours), 4)
            for step in range(50):
                batch = task.batch(step)
                loss, grads = task.loss_and_gradient(ours, batch)
                if rule == "general":
                    with torch.no_grad():
                        for name, array in ours.items():
                            theirs[name].copy_(torch.from_numpy(array.T.copy()))
                x = torch.from_numpy(batch["image"].reshape(64, -1))
                hidden = torch.relu(torch.nn.functional.linear(x, theirs[w[2][0]], theirs[w[1][0]]))
                logits = torch.nn.functional.linear(hidden, theirs[w[2][1]], theirs[w[1][1]])
                their_loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch["label"]).long())
                other.zero_grad()
                their_loss.backward()
                self.assertAlmostEqual(their_loss.item(), loss, delta=1e-5 * max(1, loss), msg=f"{rule}, step {step}")
                if rule == "general":
                    for name, array in grads.items():
                        close = numpy.abs(theirs[name].grad.numpy().T - array).max()
                        self.assertLessEqual(close, 1e-5 * numpy.abs(array).max(), f"{rule}, step {step}, {name}")
                optimizer.step(grads, loss)
                other.step(their_loss)

    def test_axes_make_a_rule_see_what_lopt_has(self):
        """A weight [out, in] of PyTorch moves as the one of lopt, [in, out], does."""
        random = numpy.random.default_rng(1)
        start, grad = random.normal(size=(2, 7, 4)).astype(numpy.float32)
        for rule in ["adam", "general", "muon", "soap"]:
            ours = {"w": start.copy()}
            lopt.Optimizer(rule, ours, 100).step({"w": grad}, 1.0)
            theirs = torch.nn.Parameter(torch.from_numpy(start.T.copy()))
            theirs.grad = torch.from_numpy(grad.T.copy())
            lopt.torch.LearnedOptimizer([theirs], rule, 100).step(1.0)
            self.assertEqual(theirs.detach().numpy().T.tobytes(), ours["w"].tobytes(), rule)

    def test_a_state_goes_through_torch_save(self):
        params, grads, losses = self.params()
        optimizer = lopt.torch.LearnedOptimizer(params.values(), "general", 100)
        self.steps(params, optimizer, grads[:3], losses)
        with tempfile.TemporaryDirectory() as folder:
            torch.save(optimizer.state_dict(), folder + "/state")
            copies = {name: torch.nn.Parameter(p.detach().clone()) for name, p in params.items()}
            other = lopt.torch.LearnedOptimizer(copies.values(), "general", 100)
            other.load_state_dict(torch.load(folder + "/state"))
        self.steps(params, optimizer, grads[3:], losses[3:])
        self.steps(copies, other, grads[3:], losses[3:])
        for name, p in params.items():
            self.assertTrue(torch.equal(p, copies[name]), name)

    def test_lr_multiplies_a_step_and_schedulers_set_it(self):
        p, q = (torch.nn.Parameter(torch.zeros(3)) for _ in range(2))
        optimizer = lopt.torch.LearnedOptimizer(
            [{"params": [p]}, {"params": [q], "lr": 0.5}], "{plugin: sgd, learning_rate: 0.1}"
        )
        p.grad, q.grad = torch.ones(3), torch.ones(3)
        optimizer.step()
        self.assertAlmostEqual(q[0].item(), 0.5 * p[0].item(), 7)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 0.0)
        before = p.detach().clone()
        optimizer.step()
        scheduler.step()
        self.assertTrue(torch.equal(p, before))

    def test_frozen_parameters_those_without_gradient_and_other_types(self):
        frozen = torch.nn.Parameter(torch.ones(2), requires_grad=False)
        unused, used = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
        optimizer = lopt.torch.LearnedOptimizer([frozen, unused, used], "adam")
        for _ in range(3):
            used.grad = torch.ones(2, dtype=torch.bfloat16)
            optimizer.step()
        self.assertEqual([frozen[0].item(), unused[0].item()], [1, 1])
        self.assertEqual(used.dtype, torch.bfloat16)
        self.assertLess(used[0].item(), 1)
        with self.assertRaisesRegex(lopt.UsageError, "float64"):
            lopt.torch.LearnedOptimizer([torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))], "adam")

    def test_weights_go_to_pytorch_and_come_back(self):
        """The scripts of docs/weights.md, on the θ of celo2_short."""
        with open(os.path.join(source, "docs", "weights.md")) as file:
            blocks = re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
        come, go = ([block for block in blocks if word in block][0] for word in ("torch.load", "torch.save"))
        ours = os.path.join(source, "configs/recipes/celo2_short/theta.npz")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-c", go, ours, folder + "/state.pt"], check=True)
            subprocess.run([sys.executable, "-c", come, folder + "/state.pt", folder + "/theta.npz"], check=True)
            before, after = numpy.load(ours), numpy.load(folder + "/theta.npz")
            self.assertEqual(sorted(before.files), sorted(after.files))
            for name in before.files:
                self.assertTrue(numpy.array_equal(before[name], after[name]), name)

    @unittest.skipUnless(pylo, "pylo is not here, so whether it computes our updates with our weights is not tested")
    def test_pylo_computes_our_updates_with_our_weights(self):
        with open(os.path.join(source, "docs", "weights.md")) as file:
            go = [
                block
                for block in re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
                if "torch.save" in block
            ][0]
        ours = os.path.join(source, "configs/recipes/celo2_short/theta.npz")
        start, grads, losses = problem()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-c", go, ours, folder + "/state.pt"], check=True)
            theirs = {name: torch.nn.Parameter(torch.from_numpy(array.copy())) for name, array in start.items()}
            optimizer = pylo.CELO2_naive(
                theirs.values(),
                lr=0.01,
                orthogonalize=False,
                use_adamw_for_1d=False,
                checkpoint_path=folder + "/state.pt",
            )
            self.steps(theirs, optimizer, grads, losses)
        params = {name: array.copy() for name, array in start.items()}
        own = lopt.Optimizer(
            {"plugin": "learned", "theta": ours, "learned_optimizer": {"plugin": "celo2_base", "learning_rate": 0.01}},
            params,
        )
        for grad in grads:
            own.step(grad)
        for name, array in params.items():
            numpy.testing.assert_allclose(theirs[name].detach().numpy(), array, rtol=0, atol=1e-5)

    def test_the_examples_run(self):
        for example in ("characters", "digits"):
            done = subprocess.run(
                [sys.executable, os.path.join(source, f"sdk/python/examples/{example}.py"), "--steps", "5"],
                text=True,
                capture_output=True,
                env=dict(os.environ, PYTHONPATH=os.path.join(source, "sdk/python/src")),
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("general beside the best Adam", done.stdout)


if __name__ == "__main__":
    main()
