"""What the tests of components in Python share. The first argument of the test that runs is the build folder."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

build = os.path.abspath(sys.argv[1])
source = pathlib.Path(__file__).resolve().parents[2]
os.environ["LOPT_PREFIX"] = build
sys.path[:0] = [str(source / "sdk/python/src"), str(source / "sdk/python/examples")]

RUNNER = os.path.join(build, "bin", "lopt-run")
PES = "{plugin: pes, tasks: 4, unroll_length: 5, problem_length: 20, std: 0.01}"
ADAM = "{plugin: adam, learning_rate: 0.01}"


def runner(*words, folder=None, python=True, ok=True, **environment):
    """What lopt-run prints, in a process that knows nothing of this one; with `python` the examples are modules."""
    env = {name: value for name, value in os.environ.items() if name not in ("LOPT_TRACER", "PYTHONPATH")}
    env["LOPT_PYTHON"] = sys.executable if python else "/bin/false"
    if python:
        env["PYTHONPATH"] = str(source / "sdk/python/examples")
    env.update(environment)
    done = subprocess.run([RUNNER, *map(str, words)], capture_output=True, text=True, cwd=folder, env=env)
    if ok and done.returncode:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def quietly(function, *arguments, **named):
    return function(*arguments, quiet=True, **named)


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def module(self, name, text=None):
        """A module in the folder: of this text, or that of tests/python/modules."""
        if text is None:
            shutil.copy(source / "tests/python/modules" / f"{name}.py", self.folder)
        else:
            (self.folder / f"{name}.py").write_text("import lopt\nimport lopt.numpy as np\n" + textwrap.dedent(text))
        sys.path.insert(0, str(self.folder))
        self.addCleanup(sys.path.remove, str(self.folder))
        self.addCleanup(sys.modules.pop, name, None)
        return __import__(name)
