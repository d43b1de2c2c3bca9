"""Builds lopt itself by CMake and puts it into the wheel: the runner, the library, the plugins and the recipes."""

import os
import pathlib
import shutil
import subprocess

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def require_what_building_takes():
    missing = [tool for tool in ("cmake", "ninja", "g++") if not shutil.which(tool)]
    if missing:
        raise SystemExit(
            f"lopt cannot be built here: {', '.join(missing)} is missing. On Debian 12 `{ROOT}/dev setup` "
            "installs all that it takes."
        )


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        prefix = pathlib.Path(self.build_lib).resolve() / "lopt" / "_prefix"
        require_what_building_takes()
        commands = [
            ["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"],
            ["cmake", "--build", BUILD, "--target", "installable"],
            ["cmake", "--install", BUILD, "--prefix", prefix],
        ]
        for command in commands:
            done = subprocess.run([os.fspath(word) for word in command])
            if done.returncode:
                raise SystemExit(
                    "lopt cannot be built here; the message above says why. On Debian 12 "
                    f"`{ROOT}/dev setup` installs all that it takes."
                )
        # What a wheel has no use for: documents, and a second copy of the library, as wheels know no links.
        shutil.rmtree(prefix / "share" / "doc", ignore_errors=True)
        (prefix / "lib" / "liblopt.so").unlink()
        if "LOPT_PORTABLE" in os.environ:  # MPI is each cluster's own
            (prefix / "lib" / "lopt" / "liblopt_mpi.so").unlink(missing_ok=True)


class WithLibrary(Distribution):
    def has_ext_modules(self):
        return True  # the wheel is of one platform


setup(cmdclass={"build_py": BuildWithLibrary}, distclass=WithLibrary)
