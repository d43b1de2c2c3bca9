"""The installed package: what a third party sees who has no source tree.

usage: test_package.py BUILD    (a build folder). Installs into a temporary prefix, moves it, and works from there."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from counting import main

build = os.path.abspath(sys.argv[1])
source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
strict = "-Wall -Wextra -Wconversion -Werror"
kinds = ["task", "task_family", "dataset", "optimizer", "schedule", "learned_optimizer", "estimator"]


def call(*command, cwd=None, code=0, env=None):
    done = subprocess.run(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ, **(env or {})),
        timeout=300,
    )
    if done.returncode != code:
        raise AssertionError(f"{' '.join(command)}: code {done.returncode}\n{done.stdout}")
    return done.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="lopt-package-")
        first, cls.prefix = cls.folder + "/first", cls.folder + "/second"
        call("cmake", "--install", build, "--prefix", first)
        os.rename(first, cls.prefix)
        cls.runner = cls.prefix + "/bin/lopt-run"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def work(self, name):
        path = f"{self.folder}/{name}"
        os.makedirs(path, exist_ok=True)
        return path

    def configure_and_build(self, folder, *more):
        call(
            "cmake",
            "-S",
            folder,
            "-B",
            folder + "/build",
            f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_CXX_FLAGS={strict}",
            *more,
        )
        call("cmake", "--build", folder + "/build")

    def test_moved_tree_runs(self):
        self.assertIn(self.prefix + "/lib/lopt/plugins/adam.so", call(self.runner, "list", "--long"))
        work = self.work("moved")
        call(self.runner, "train", "configs/quickstart.yaml", "steps=2", "compare=null", cwd=work)  # the installed one
        self.assertIn(
            self.prefix,
            call(
                "/usr/bin/python3",
                "-c",
                "import lopt._library; print(lopt._library.prefix())",
                env={"PYTHONPATH": self.prefix + "/share/lopt/python", "PYTHONDONTWRITEBYTECODE": "1"},
            ),
        )
        for folder, _, files in os.walk(self.prefix):
            for file in files:
                with open(os.path.join(folder, file), "rb") as content:
                    self.assertNotIn(b"/first/", content.read(), file)

    def test_scaffolds_build_and_their_tests_pass(self):
        work = self.work("scaffolds")
        for kind in kinds:
            with self.subTest(kind=kind):
                name = "my_" + kind
                call(self.runner, "new-plugin", kind, name, cwd=work)
                with open(f"{work}/{name}/{name}.cpp") as file:
                    # A hybrid is a rule with a network, accumulators and a bound.
                    self.assertLessEqual(len(file.readlines()), 55 if kind == "learned_optimizer" else 40)
                start = time.time()
                self.configure_and_build(f"{work}/{name}")
                print(f"{kind}: built out of tree in {time.time() - start:.1f} s")
                call("ctest", "--test-dir", f"{work}/{name}/build", "--output-on-failure")
                call(self.runner, "train", f"{name}/{name}.yaml", "steps=3", "--plugin-path", f"{name}/build", cwd=work)
                before = os.stat(f"{work}/{name}/{name}.cpp").st_mtime_ns
                self.assertIn("is there already", call(self.runner, "new-plugin", kind, name, cwd=work, code=2))
                self.assertEqual(before, os.stat(f"{work}/{name}/{name}.cpp").st_mtime_ns)

    def test_scaffold_builds_with_clang(self):
        work = self.work("clang")
        call(self.runner, "new-plugin", "learned_optimizer", "by_clang", cwd=work)
        self.configure_and_build(work + "/by_clang", "-DCMAKE_CXX_COMPILER=clang++")
        call("ctest", "--test-dir", work + "/by_clang/build", "--output-on-failure")

    def test_new_plugin_refuses(self):
        work = self.work("refused")
        self.assertIn("did you mean 'task'", call(self.runner, "new-plugin", "tsk", "x", cwd=work, code=2))
        for name in ["../x", "X", "a-b", "", "a b", "1a"]:
            call(self.runner, "new-plugin", "task", name, cwd=work, code=2)
        self.assertEqual(os.listdir(work), [])

    def test_examples(self):
        work = self.work("examples")
        examples = self.prefix + "/share/lopt/examples"
        for path in sorted(glob.glob(examples + "/*/CMakeLists.txt")):
            name = os.path.basename(os.path.dirname(path))
            with self.subTest(example=name):
                folder = f"{work}/{name}"
                shutil.copytree(os.path.dirname(path), folder)
                self.configure_and_build(folder)
                settings = ["file=rings.csv", "label=ring"] if name == "labelled_csv" else []
                checked = call(self.runner, "check-plugin", f"build/{name}.so", *settings, cwd=folder)
                self.assertIn(" 0 failed, 0 skipped", checked)
                if name == "spring":
                    self.assertIn("finite differences in float32", checked)
                trained = call(self.runner, "train", name + ".yaml", cwd=folder)
                self.assertIn("Meta-loss", trained)
        self.assertGreaterEqual(len(os.listdir(work)), 7)

    def test_headers_compile_alone(self):
        work = self.work("headers")
        for header in sorted(os.listdir(self.prefix + "/include/lopt")):
            with open(f"{self.prefix}/include/lopt/{header}") as file:
                for included in re.findall(r"#include [<\"]([^>\"]+)", file.read()):
                    self.assertTrue(included.startswith("lopt/") or re.fullmatch(r"[a-z_0-9]+", included), included)
            with open(work + "/alone.cpp", "w") as file:
                file.write(f"#include <lopt/{header}>\n")
            for compiler in ["g++", "clang++"]:
                with self.subTest(header=header, compiler=compiler):
                    start = time.time()
                    call(
                        compiler,
                        "-std=c++20",
                        *strict.split(),
                        "-I",
                        self.prefix + "/include",
                        "-c",
                        "alone.cpp",
                        "-o",
                        "alone.o",
                        cwd=work,
                    )
                    print(f"{header} with {compiler}: {time.time() - start:.2f} s")

    def test_the_guide_to_c(self):
        """The program of docs/c.md, built by pkg-config as C99, runs from where it was moved to."""
        with open(source + "/docs/c.md") as file:
            code = re.search(r"^```c\n(.*?)^```$", file.read(), re.M | re.S)[1]
        work = self.work("c")
        include, body = code.split("\n", 1)
        with open(work + "/program.c", "w") as file:
            file.write(
                f"{include}\n#include <stdio.h>\nstatic float w[7840], dw[7840], loss = 1;\n"
                f'int main(void) {{\ndw[0] = 1;\n{body}\nprintf("%g\\n", w[0]);\nreturn 0;\n}}\n'
            )
        env = dict(os.environ, PKG_CONFIG_PATH=self.prefix + "/lib/pkgconfig", LD_LIBRARY_PATH=self.prefix + "/lib")
        call(
            "bash",
            "-ec",
            "gcc -std=c99 -pedantic -Wall -Wextra -Werror program.c $(pkg-config --cflags --libs lopt-c) -o program",
            cwd=work,
            env=env,
        )
        self.assertLess(float(call(work + "/program", cwd=work, env=env)), 0)

    def test_guide_to_plugins(self):
        """Every code block of docs/plugins.md: C++ compiles, specs are right, and commands run in their order."""
        with open(source + "/docs/plugins.md") as file:
            blocks = re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.M | re.S)
        work = self.work("guide")
        env = {
            "PATH": f"{self.prefix}/bin:{os.environ['PATH']}",
            "CMAKE_PREFIX_PATH": self.prefix,
            "PKG_CONFIG_PATH": self.prefix + "/lib/pkgconfig",
            "LD_LIBRARY_PATH": self.prefix + "/lib",
        }
        seen = {"cpp": 0, "sh": 0, "yaml": 0}
        for number, (language, code) in enumerate(blocks):
            seen[language] += 1
            with self.subTest(block=number, language=language, begins=code[:60]):
                if language == "cpp":
                    with open(f"{work}/block{number}.cpp", "w") as file:
                        file.write(code)
                    flags = [*strict.split(), "-I", self.prefix + "/include"]
                    call(
                        "g++",
                        "-std=c++20",
                        "-shared",
                        "-fPIC",
                        *flags,
                        f"block{number}.cpp",
                        "-L",
                        self.prefix + "/lib",
                        "-llopt",
                        "-o",
                        f"block{number}.so",
                        cwd=work,
                    )
                    if "LOPT_PLUGIN(" in code or "lopt_plugin_manifest" in code:
                        settings = ["width=3"] if '"declared"' in code else []
                        self.assertIn(
                            " 0 failed", call(self.runner, "check-plugin", f"block{number}.so", *settings, cwd=work)
                        )
                    if "class MySgd" in code:  # "Put this into my_sgd/my_sgd.cpp"
                        shutil.copy(f"{work}/block{number}.cpp", work + "/my_sgd/my_sgd.cpp")
                elif language == "sh":
                    call("bash", "-ec", code, cwd=work, env=env)
                else:
                    with open(work + "/spec.yaml", "w") as file:
                        file.write(code)
                    call(self.runner, "check", "spec.yaml", cwd=work)
        self.assertGreaterEqual(seen["cpp"], 10)
        self.assertGreaterEqual(seen["sh"], 3)

    def test_the_guide_from_jax(self):
        """The task of docs/from-jax.md, with the two lines that every plugin begins with, is a plugin."""
        with open(source + "/docs/from-jax.md") as file:
            code = re.search(r"^```cpp\n(.*?)^```$", file.read(), re.M | re.S)[1]
        work = self.work("jax")
        with open(work + "/line.cpp", "w") as file:
            file.write("#include <lopt/plugin.h>\nusing namespace lopt;\n" + code)
        call(
            "g++",
            "-std=c++20",
            "-shared",
            "-fPIC",
            *strict.split(),
            "-I",
            self.prefix + "/include",
            "line.cpp",
            "-L",
            self.prefix + "/lib",
            "-llopt",
            "-o",
            "line.so",
            cwd=work,
        )
        self.assertIn(" 0 failed", call(self.runner, "check-plugin", "line.so", cwd=work))

    def test_completions_and_man_page_know_every_verb_and_option(self):
        with open(self.prefix + "/share/bash-completion/completions/lopt-run") as file:
            bash = file.read()
        with open(self.prefix + "/share/zsh/site-functions/_lopt-run") as file:
            zsh = file.read()
        with open(self.prefix + "/share/man/man1/lopt-run.1") as file:
            man = file.read().replace("\\-", "-")
        verbs = re.findall(r"^  ([a-z-]+) ", call(self.runner, "--help"), re.M)
        self.assertIn("check-plugin", verbs)
        for verb in verbs:
            for text in (bash, zsh, man):
                self.assertIn(verb, text)
            for option in re.findall(r"(--[a-z-]+)", call(self.runner, verb, "--help").split("Options:")[1]):
                for text in (bash, man) + ((zsh,) if option != "--help" else ()):
                    self.assertIn(option, text, verb)
        script = (
            f"source '{self.prefix}/share/bash-completion/completions/lopt-run'; COMP_WORDS=(lopt-run new-plugin "
            "learn); COMP_CWORD=2; _lopt_run; echo ${COMPREPLY[@]}"
        )
        self.assertEqual(call("bash", "-c", script).strip(), "learned_optimizer")
        spec = self.prefix + "/share/lopt/configs/quickstart.yaml"
        script = (
            f"source '{self.prefix}/share/bash-completion/completions/lopt-run'; COMP_WORDS=('{self.runner}' train "
            f"'{spec}' estimator.st); COMP_CWORD=3; _lopt_run; echo ${{COMPREPLY[@]}}"
        )
        self.assertEqual(call("bash", "-c", script).split(), ["estimator.starts=", "estimator.std="])


if __name__ == "__main__":
    main()
