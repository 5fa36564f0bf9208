"""Another process on the same store, told what to do line by line."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any


class ChildError(Exception):
    """The line raised in the child; `kind` is the name of the class."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class ChildProcess:
    """A Python that has `lithograph` imported and `path` set; a context manager that kills it."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "lithograph.tools.testing.child_process", str(path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid

    def run(self, line: str) -> Any:
        """Execute a line; return what it evaluates to, if that can be written as a literal."""
        self.begin(line)
        return self.result()

    def begin(self, line: str) -> None:
        """Let the child start on a line, and do not wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        """Wait for the line to end, and return what it evaluates to."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise ChildError("EOFError", f"the child ended with {self._process.wait()}")
        value, kind, text = ast.literal_eval(answer)
        if kind:
            raise ChildError(kind, text)
        return value

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def _serve(path: str) -> None:
    scope: dict[str, Any] = {"path": path}
    exec("import fcntl, os, resource, signal, time, lithograph", scope)
    for line in sys.stdin:
        try:
            answer = (_value(line.strip(), scope), "", "")
        except Exception as error:
            answer = (None, type(error).__name__, str(error))
        sys.stdout.write(f"{answer!r}\n")
        sys.stdout.flush()


def _value(line: str, scope: dict[str, Any]) -> object:
    try:
        code = compile(line, "<child>", "eval")
    except SyntaxError:
        exec(compile(line, "<child>", "exec"), scope)
        return None
    value = eval(code, scope)
    try:
        ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return repr(value)
    return value


if __name__ == "__main__":
    _serve(sys.argv[1])
