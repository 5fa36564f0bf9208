"""The source distribution installs with and without a C compiler, and works either way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
USE = """
import lithograph, lithograph.kernel, pathlib, sys
path = pathlib.Path(sys.argv[1])
with lithograph.open(path) as graph:
    graph.put_edge("a", "to", "b", create_missing=True)
with lithograph.open(path, mode="r") as graph:
    assert graph.neighbors("a") == ["b"]
    assert graph.verify() == []
print(lithograph.kernel.backend, pathlib.Path(lithograph.__file__).parent)
"""
BUILD = "import sys; from setuptools.build_meta import build_sdist; print(build_sdist(sys.argv[1]))"


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source distribution, made from a copy: a stale build folder would hide a missing file."""
    folder = tmp_path_factory.mktemp("sdist")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of the sources")
    for name in listed.stdout.splitlines():
        (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, folder / "copy" / name)
    built = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=folder / "copy",
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / built.stdout.splitlines()[-1]


def _install(sdist: Path, target: Path, compiler: str | None) -> str:
    """Install into a folder of its own; return the kernel in use and where the package is from."""
    environment = {**os.environ, "LITHOGRAPH_KERNEL": "auto"}
    if compiler is not None:
        environment |= {"CC": compiler, "LDSHARED": compiler}
    options = f"-q --disable-pip-version-check --no-deps --no-build-isolation --target {target}"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options.split(), "--no-index", str(sdist)],
        env=environment,
        check=True,
        capture_output=True,
    )
    used = subprocess.run(
        [sys.executable, "-c", USE, str(target.parent / "a.graph")],
        env={**environment, "PYTHONPATH": str(target)},
        cwd=target.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    backend, _, path = used.stdout.strip().partition(" ")
    assert Path(path) == target / "lithograph"
    assert (target / "lithograph" / "py.typed").exists()
    return backend


def test_it_installs_and_works_without_a_compiler(sdist: Path, tmp_path: Path) -> None:
    assert _install(sdist, tmp_path / "target", "/bin/false") == "reference"


def test_it_installs_the_compiled_kernel_where_there_is_a_compiler(
    sdist: Path, tmp_path: Path
) -> None:
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip(f"no C compiler here: {compiler} is not installed")
    assert _install(sdist, tmp_path / "target", None) == "compiled"
