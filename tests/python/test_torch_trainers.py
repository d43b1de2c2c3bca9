"""LearnedOptimizer in whole trainings: the models of the example, and trainers of Lightning and Transformers where they
are there (./dev torch).

usage: test_torch_trainers.py BUILD
"""

import os
import subprocess
import sys
import tempfile
import unittest

import torch

from counting import main
from torch_model import batch, model, Optimizer, source  # finds lopt


try:
    import lightning
except ImportError:
    lightning = None
try:
    import transformers
except ImportError:
    transformers = None


class Trainers(unittest.TestCase):
    def test_the_eight_models_of_the_example(self):
        command = [
            sys.executable,
            os.path.join(source, "sdk", "python", "examples", "models.py"),
            "--steps",
            "30",
            "--rates",
            "0.01",
        ]
        path = {**os.environ, "PYTHONPATH": os.path.join(source, "sdk", "python", "src")}
        done = subprocess.run(command, capture_output=True, text=True, env=path, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.rsplit(maxsplit=11) for line in done.stdout.splitlines()[5:]]
        self.assertEqual(len(rows), 8, done.stdout)
        for name, *numbers in rows:
            with self.subTest(name):
                mean, cosine, end, test, *_, cost, _, _ = (float(number) for number in numbers)
                for ratio in (mean, cosine, end):
                    self.assertTrue(0 < ratio < 1.5, done.stdout)
                # After thirty steps the running statistics of batch normalisation lag behind: any number is right.
                self.assertTrue(0 < test < float("inf"), done.stdout)
                self.assertGreater(cost, 0)

    @unittest.skipUnless(lightning, "lightning is not here")
    def test_a_lightning_trainer(self):
        class Module(lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.net, self.losses = model(), []

            def training_step(self, given, _):
                loss = torch.nn.functional.cross_entropy(self.net(given[0]), given[1])
                self.losses.append(loss.item())
                return loss

            def configure_optimizers(self):
                optimizer = Optimizer(self.parameters(), "general", 20)
                return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)}

        data = torch.utils.data.TensorDataset(*batch(0))
        with tempfile.TemporaryDirectory() as folder:

            def trainer(**more):
                return lightning.Trainer(
                    max_steps=20,
                    accelerator="cpu",
                    default_root_dir=folder,
                    logger=False,
                    enable_progress_bar=False,
                    enable_model_summary=False,
                    **more,
                )

            module = Module()
            first = trainer()
            first.fit(module, torch.utils.data.DataLoader(data, batch_size=16))
            print(
                f"Lightning {lightning.__version__}: loss {module.losses[0]:.3f} → {module.losses[-1]:.3f} in "
                f"{len(module.losses)} steps"
            )
            self.assertEqual(len(module.losses), 20)
            self.assertLess(module.losses[-1], 0.8 * module.losses[0])
            first.save_checkpoint(folder + "/at20.ckpt")
            again = Module()
            longer = trainer()
            longer.fit_loop.epoch_loop.max_steps = 22
            longer.fit(
                again,
                torch.utils.data.DataLoader(data, batch_size=16),
                ckpt_path=folder + "/at20.ckpt",
                **({"weights_only": False} if "weights_only" in longer.fit.__code__.co_varnames else {}),
            )
            self.assertLess(again.losses[0], 0.9 * module.losses[0])

    @unittest.skipUnless(transformers, "transformers is not here")
    def test_a_hugging_face_trainer(self):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.net = model()

            def forward(self, x, labels):
                logits = self.net(x)
                return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

        x, y = batch(0)
        data = [{"x": x[i], "labels": y[i]} for i in range(len(x))]
        net = Net()
        optimizer = Optimizer(net.parameters(), "general", 20)
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
        with tempfile.TemporaryDirectory() as folder:
            trainer = transformers.Trainer(
                model=net,
                train_dataset=data,
                optimizers=(optimizer, schedule),
                args=transformers.TrainingArguments(
                    output_dir=folder,
                    max_steps=20,
                    per_device_train_batch_size=16,
                    use_cpu=True,
                    report_to=[],
                    logging_steps=1,
                    save_steps=10,
                    disable_tqdm=True,
                ),
            )
            trainer.train()
            losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
            print(
                f"Transformers {transformers.__version__}: loss {losses[0]:.3f} → {losses[-1]:.3f} in {len(losses)} "
                "steps"
            )
            self.assertEqual(len(losses), 20)
            self.assertLess(losses[-1], 0.8 * losses[0])
            self.assertTrue(os.path.exists(folder + "/checkpoint-20/optimizer.pt"))


if __name__ == "__main__":
    print(f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}")
    main()
