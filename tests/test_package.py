"""The package as a whole: light to import, its public names there, its version one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import xent

HEAVY = (
    "torch",
    "jax",
    "matplotlib",
    "sympy",
    "numba",
    "polars",
    "scipy",
    "sklearn",
    "joblib",
    "rich",
    "cyclopts",
    "jinja2",
    "plotille",
)


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "code", ["import xent", "import xent; xent.output('quadratic').value(0.5, 1)", "import xent; xent.Neuron(2.0, 2.0).learn(1, 0)"]
)
def test_importing_xent_is_light(code):
    loaded = run_python(f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})").split()
    assert not set(loaded) & set(HEAVY)


def test_help_is_light():
    code = "import sys\nfrom xent.cli import main\nmain(['--help'])\nprint(*{name.partition('.')[0] for name in sys.modules})"
    loaded = run_python(code).splitlines()[-1].split()
    assert not set(loaded) & (set(HEAVY) - {"rich", "cyclopts"})


def test_public_names():
    for name in xent.__all__:
        assert getattr(xent, name) is not None
        assert name in dir(xent)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = xent.nonsense


def test_one_version():
    assert version("xent") == xent.__version__


def test_no_public_function_shares_a_name_with_a_module():
    package = Path(xent.__file__).parent
    modules = {p.stem for p in package.iterdir() if not p.name.startswith("_")}
    assert not modules & {name for name in xent.__all__ if name not in ("data", "torch", "jax")}


def test_the_readmes_examples_print_what_they_say():
    """Every ```python block of both READMEs runs, and prints the lines that its comments promise; a program in both, once."""
    printed = {}
    for name in ("README.md", "README.zh-CN.md"):
        text = (Path(__file__).parents[1] / name).read_text()
        blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        assert blocks
        for block in blocks:
            program = ast.unparse(ast.parse(block))  # without its comments, which are in two languages
            printed.setdefault(program, None)
            if printed[program] is None:
                printed[program] = run_python(block).splitlines()
            assert printed[program] == re.findall(r"#> ?(.*)", block)
