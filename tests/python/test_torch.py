"""LearnedOptimizer where torch.optim.Adam stands: closures, schedulers, copies, frozen layers. Runs with any
Python that has PyTorch: Debian's, and one of PyPI's.

usage: test_torch.py BUILD
"""

import copy
import pickle
import sys
import tempfile
import unittest
import warnings

import torch

from counting import main
from torch_model import batch, bits, fresh, model, Optimizer, RULES, train  # finds lopt

import lopt


class Habits(unittest.TestCase):
    def same(self, a, b, note=""):
        for one, other in zip(bits(a), bits(b), strict=True):
            self.assertTrue(torch.equal(one, other), note)

    def closure_of(self, net, optimizer, step):
        def closure():
            x, y = batch(step)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(x), y)
            loss.backward()
            return loss

        return closure

    def test_a_closure_by_place_and_by_keyword_is_the_loss(self):
        for rule in RULES:
            nets = [model() for _ in range(4)]
            optimizers = [Optimizer(net.parameters(), rule, 50) for net in nets]
            train(nets[0], optimizers[0], 4)
            for step in range(4):
                one = optimizers[1].step(closure=self.closure_of(nets[1], optimizers[1], step))
                other = optimizers[2].step(self.closure_of(nets[2], optimizers[2], step))
                self.assertEqual(one.item(), other.item())
                self.closure_of(nets[3], optimizers[3], step)()
                x, y = batch(step)
                optimizers[3].step(loss=torch.nn.functional.cross_entropy(nets[3](x), y).item())
            for net in nets[1:]:
                self.same(nets[0], net, rule)

    def test_the_default_recipe_works_without_a_loss(self):
        net = model()
        optimizer = Optimizer(net.parameters(), num_steps=50)
        self.assertTrue(optimizer.needs_loss)
        before = torch.nn.functional.cross_entropy(net(batch(0)[0]), batch(0)[1]).item()
        for _ in range(50):
            self.closure_of(net, optimizer, 0)()
            optimizer.step()
        self.assertLess(torch.nn.functional.cross_entropy(net(batch(0)[0]), batch(0)[1]).item(), 0.5 * before)
        # A loss that comes later is not taken into account: there is nothing that it could be compared with.
        other = copy.deepcopy((net, optimizer))
        self.closure_of(net, optimizer, 1)()
        optimizer.step(1e6)
        self.closure_of(*other, 1)()
        other[1].step()
        self.same(net, other[0])

    def test_a_rule_that_cannot_do_without_the_loss_names_one_that_can(self):
        net = model()
        optimizer = Optimizer(net.parameters(), "{plugin: guard, inner: adam}")
        before = model()
        with self.assertRaisesRegex(lopt.UsageError, "looks at the loss.*`general`"):
            train(net, optimizer, 1, with_loss=False)
        self.same(net, before)
        began = Optimizer(net.parameters(), "general", 10)
        train(net, began, 1)
        with self.assertRaisesRegex(lopt.UsageError, "began with the loss"):
            began.step()

    def test_what_thaws_moves_from_then_on(self):
        for rule in RULES:
            with self.subTest(rule):
                net = model()
                for p in net[0].parameters():
                    p.requires_grad = False
                optimizer = Optimizer(net.parameters(), rule, 50)
                train(net, optimizer, 3)
                self.same(net[0], model()[0])
                without = copy.deepcopy((net, optimizer))
                for p in net[0].parameters():
                    p.requires_grad = True
                train(net, optimizer, 1, 3)
                train(*without, 1, 3)
                for p, q in zip(net[0].parameters(), model()[0].parameters()):
                    self.assertFalse(torch.equal(p, q))
                if rule != "general":  # whose steps depend on all parameters
                    self.same(net[2], without[0][2], "what moved before goes on as if nothing had been added")
                for p in net[0].parameters():  # and freezes again
                    p.requires_grad, p.grad = False, None
                frozen = bits(net[0])
                train(net, optimizer, 2, 4)
                for p, q in zip(net[0].parameters(), frozen):
                    self.assertTrue(torch.equal(p, q))

    def test_all_frozen_at_first(self):
        net = model().requires_grad_(False)
        optimizer = Optimizer(net.parameters(), "adam")
        optimizer.step()
        net.requires_grad_(True)
        train(net, optimizer, 2)
        self.assertFalse(torch.equal(net[0].weight, model()[0].weight))

    def test_groups_may_be_added_after_the_first_steps(self):
        for rule in RULES:
            net = model()
            optimizer = Optimizer(net[2].parameters(), rule, 50)
            train(net, optimizer, 3)
            before = bits(net)
            optimizer.add_param_group({"params": list(net[0].parameters()), "lr": 0.5})
            train(net, optimizer, 2, 3)
            for p, q in zip(net.parameters(), before):
                self.assertFalse(torch.equal(p, q), rule)

    def test_what_keeps_all_parameters_together_refuses_more(self):
        net = model()
        with tempfile.TemporaryDirectory() as folder:
            run = lopt.train(
                {
                    "name": "v",
                    "steps": 1,
                    "task": "quadratic",
                    "learned_optimizer": "velo",
                    "estimator": {"plugin": "pes", "tasks": 2},
                    "meta_optimizer": "adam",
                },
                out=folder + "/run",
                quiet=True,
            )
            optimizer = Optimizer(net[2].parameters(), run.folder, 50)
            train(net, optimizer, 1)
            optimizer.add_param_group({"params": list(net[0].parameters())})
            with self.assertRaisesRegex(lopt.UsageError, "of all parameters together"):
                train(net, optimizer, 1)

    def test_parameters_in_other_memory(self):
        for rule in RULES:
            net, other = model(), model()
            one, two = (Optimizer(n.parameters(), rule, 50) for n in (net, other))
            train(net, one, 3)
            train(other, two, 3)
            kept = other[0].weight.data
            before = kept.clone()
            for p in other.parameters():
                p.data = p.data.clone()
            train(net, one, 3, 3)
            train(other, two, 3, 3)
            self.same(net, other, rule)
            self.assertTrue(torch.equal(kept, before), "who has the old memory keeps it as it was")

    def test_a_rule_moves_a_model_as_it_moves_arrays(self):
        """Weights are [out, in] there and [in, out] here; whether a rule sees them turned or works on them as they
        lie."""

        def turned(x):
            return x.T.contiguous() if x.ndim == 2 else x.clone()

        shapes = {"w": (24, 40), "b": (40,), "square": (40, 40)}
        learned = [
            "per_parameter_mlp",
            "mlp_lopt",
            "adafac_mlp_lopt",
            "celo2",
            "hybrid",
            "per_parameter_rnn",
            "rnn_mlp_lopt",
        ]
        with tempfile.TemporaryDirectory() as folder:
            for rule in [
                *RULES[:2],
                *RULES[3:],
                "adafactor",
                "lamb",
                "soap",
                *(fresh(name, folder) for name in learned),
            ]:
                random = torch.Generator().manual_seed(0)
                arrays = {name: torch.randn(shape, generator=random).numpy() for name, shape in shapes.items()}
                model = {name: torch.nn.Parameter(turned(torch.tensor(a))) for name, a in arrays.items()}
                one, other = lopt.Optimizer(rule, arrays, 100), Optimizer(model.values(), rule, 100)
                for step in range(5):
                    grads = {name: torch.randn(shape, generator=random) for name, shape in shapes.items()}
                    for name, p in model.items():
                        p.grad = turned(grads[name])
                    one.step({name: g.numpy() for name, g in grads.items()}, 1 / (1 + step))
                    other.step(loss=1 / (1 + step))
                for name, p in model.items():
                    torch.testing.assert_close(
                        turned(p.detach()), torch.tensor(arrays[name]), rtol=1e-5, atol=1e-6, msg=str(rule)
                    )

    def test_tied_parameters(self):
        for rule in RULES:
            net = model()
            net.append(torch.nn.Linear(3, 3))
            net.append(torch.nn.Linear(3, 3))
            net[4].weight = net[3].weight
            before = net[3].weight.detach().clone()
            train(net, Optimizer(net.parameters(), rule, 50), 2)
            self.assertFalse(torch.equal(net[3].weight, before))
            self.assertIs(net[3].weight, net[4].weight)
            net[4].weight = torch.nn.Parameter(net[3].weight.data)
            with self.assertRaisesRegex(lopt.UsageError, "share their memory"):
                train(net, Optimizer(net.parameters(), rule, 50), 1)

    def test_copies_go_on_with_the_same_bits(self):
        for rule in RULES:
            for through in (copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))):
                with self.subTest(rule):
                    net = model()
                    net[0].bfloat16()  # a parameter that has a float32 beside it
                    net = torch.nn.ModuleList([net[0], net[2]])
                    optimizer = Optimizer(net.parameters(), rule, 50)

                    def steps(net, optimizer, first):
                        for step in range(first, first + 3):
                            optimizer.zero_grad()
                            loss = net[1](torch.tanh(net[0](batch(step)[0].bfloat16()).float())).square().mean()
                            loss.backward()
                            optimizer.step(loss)

                    fresh = through((net, optimizer))  # before the first step, too
                    steps(net, optimizer, 0)
                    steps(*fresh, 0)
                    self.same(net, fresh[0], rule)
                    other = through((net, optimizer))
                    steps(net, optimizer, 3)
                    steps(*other, 3)
                    self.same(net, other[0], rule)
                    self.assertIsNot(next(net.parameters()), next(other[0].parameters()))

    def test_empty_parameters_and_scalars(self):
        for rule in RULES + ["soap", "lamb", "adafactor"]:
            with self.subTest(rule):
                empty, scalar = torch.nn.Parameter(torch.zeros(0, 4)), torch.nn.Parameter(torch.tensor(1.0))
                vector = torch.nn.Parameter(torch.ones(3))
                optimizer = Optimizer([empty, scalar, vector], rule, 10)
                for _ in range(3):
                    optimizer.zero_grad()
                    loss = scalar**2 + (vector**2).sum() + empty.sum()
                    loss.backward()
                    optimizer.step(loss)
                self.assertEqual(empty.shape, (0, 4))
                self.assertLess(scalar.item(), 1)
                self.assertLess(vector[0].item(), 1)

    def test_schedulers(self):
        net = model()
        for make in [
            lambda o, **more: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=5, **more),
            lambda o, **more: torch.optim.lr_scheduler.CyclicLR(o, base_lr=0.1, max_lr=1.0, **more),
        ]:
            optimizer = Optimizer(net.parameters(), "general", 5)
            with self.assertRaisesRegex(lopt.UsageError, "cycle_momentum=False"):
                make(optimizer)
            scheduler = make(optimizer, cycle_momentum=False)
            for step in range(4):
                train(net, optimizer, 1, step)
                scheduler.step()
        for make in [
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 5),
            lambda o: torch.optim.lr_scheduler.StepLR(o, 2),
        ]:
            optimizer = Optimizer(net.parameters(), "general", 5)
            scheduler = make(optimizer)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                for step in range(4):
                    train(net, optimizer, 1, step)
                    scheduler.step()

    def test_states_load_with_weights_only(self):
        try:
            with tempfile.TemporaryFile() as file:
                torch.save({"lr": 0.1}, file)
                file.seek(0)
                torch.load(file, weights_only=True)
        except pickle.UnpicklingError:
            self.skipTest("this PyTorch's weights_only takes no real numbers, of no optimizer")
        for rule in RULES:
            net = model()
            for p in net[0].parameters():
                p.requires_grad = False
            optimizer = Optimizer(net.parameters(), rule, 50)
            train(net, optimizer, 2)
            net.requires_grad_(True)
            train(net, optimizer, 2, 2)
            other = copy.deepcopy(net)
            restored = Optimizer(other.parameters(), rule, 50)
            with tempfile.TemporaryDirectory() as folder:
                torch.save(optimizer.state_dict(), folder + "/state")
                restored.load_state_dict(torch.load(folder + "/state", weights_only=True))
            train(net, optimizer, 3, 4)
            train(other, restored, 3, 4)
            self.same(net, other, rule)

    def test_a_grad_scaler(self):
        net = model()
        optimizer = Optimizer(net.parameters(), "adam")
        try:
            scaler = torch.amp.GradScaler("cpu")
        except (AttributeError, TypeError):
            self.skipTest("this PyTorch scales on a GPU alone")
        for step in range(3):
            x, y = batch(step)
            optimizer.zero_grad()
            scaler.scale(torch.nn.functional.cross_entropy(net(x), y)).backward()
            scaler.step(optimizer)
            scaler.update()
        same = model()
        train(same, Optimizer(same.parameters(), "adam"), 3)
        for p, q in zip(net.parameters(), same.parameters()):
            self.assertTrue(torch.allclose(p, q, atol=1e-5))

    def test_wrong_losses(self):
        net = model()
        optimizer = Optimizer(net.parameters(), "general", 10)
        train(net, optimizer, 1)
        with self.assertRaisesRegex(lopt.UsageError, r"shape \[2\]"):
            optimizer.step(torch.zeros(2))

    def test_an_average_stands_in_for_the_parameters_while_one_looks(self):
        for rule in ("general", "schedule_free", "{plugin: averaged, inner: sgd}", "adam"):
            with self.subTest(rule):
                net, other = model(), model()
                optimizer, undisturbed = (Optimizer(n.parameters(), rule, num_steps=20) for n in (net, other))
                train(net, optimizer, 10)
                train(other, undisturbed, 10)
                before = bits(net)
                with optimizer.evaluation():
                    judged = bits(net)
                same = all(torch.equal(a, b) for a, b in zip(before, judged))
                self.assertEqual(same, rule in ("adam", "general"))
                self.assertTrue(all(torch.equal(a, b) for a, b in zip(before, bits(net))))
                with self.assertRaises(KeyError), optimizer.evaluation():
                    raise KeyError("what is raised in it leaves the parameters as they were")
                train(net, optimizer, 10, first=10)
                train(other, undisturbed, 10, first=10)
                self.assertTrue(all(torch.equal(a, b) for a, b in zip(bits(other), bits(net))))


if __name__ == "__main__":
    print(f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}")
    main()
