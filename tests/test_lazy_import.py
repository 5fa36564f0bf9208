"""`import lithograph` loads the engine when it is asked for, and shows everything all the same."""

from __future__ import annotations

import inspect
import pickle
import pydoc
import subprocess
import sys

import pytest

import lithograph
from lithograph import errors


def run_alone(code: str) -> str:
    """Return what a process of its own prints."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_importing_loads_the_errors_only() -> None:
    loaded = run_alone("import lithograph, sys; print(*sys.modules)").split()

    assert {name for name in loaded if name.startswith("lithograph")} == {
        "lithograph",
        "lithograph.errors",
    }
    assert "numpy" not in loaded


def test_help_of_segtool_loads_no_verb() -> None:
    loaded = run_alone(
        "import sys; from lithograph.tools.segtool import main; main(['--help']);"
        " print('loaded:', *sys.modules)"
    ).split("loaded:")[1]

    ours = {name for name in loaded.split() if name.startswith("lithograph")}
    assert ours == {
        "lithograph",
        "lithograph.errors",
        "lithograph.tools",
        "lithograph.tools.commands",
        "lithograph.tools.commands.common",
        "lithograph.tools.exit_code",
        "lithograph.tools.output",
        "lithograph.tools.segtool",
    }
    assert not {"numpy", "rich", "msgspec"} & set(loaded.split())


def test_help_of_a_verb_loads_no_engine() -> None:
    """In one process: whatever any verb loads to be declared is loaded at the end."""
    loaded = run_alone(
        "import sys; from lithograph.tools.segtool import full_parser; full_parser();"
        " print(*sys.modules)"
    ).split()

    assert "lithograph.tools.commands.get" in loaded
    heavy = {"numpy", "pyarrow", "rich.console", "lithograph.graph", "lithograph.kernel"}
    assert not heavy & set(loaded)


def test_every_public_name_is_there() -> None:
    assert set(lithograph.__all__) <= set(dir(lithograph))
    members = dict(inspect.getmembers(lithograph))
    for name in lithograph.__all__:
        assert members[name] is getattr(lithograph, name)
    assert "class Graph" in pydoc.plain(pydoc.render_doc(lithograph))
    everything: dict[str, object] = {}
    exec("from lithograph import *", everything)
    assert set(lithograph.__all__) <= everything.keys()


def test_a_name_that_is_missing_is_told_as_ever() -> None:
    with pytest.raises(AttributeError, match=r"module 'lithograph' has no attribute 'nothing'"):
        getattr(lithograph, "nothing")  # noqa: B009 - a checker would find it.


def test_an_error_survives_pickling_in_a_process_that_loaded_no_engine() -> None:
    error = pickle.dumps(errors.ReadOnlyError("no"))

    code = f"import pickle; print(repr(pickle.loads({error!r})))"
    assert run_alone(code) == "ReadOnlyError('no')\n"
