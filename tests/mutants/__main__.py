"""Runs tests against the mutants of modules, and tells which of them no test notices.

    python -m tests.mutants importer/survey/standing.py --tests tests/unit/survey

All is collected and imported once. Each mutant then is a fork of that process in which the one
function is replaced, and only tests run in it that have reached its line, the quickest first.
Where the fault is outside of all functions, the fork imports everything anew.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import pickle
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.tmpdir import tmppath_result_key
from coverage import Coverage
from coverage.exceptions import CoverageWarning
from hypothesis import Phase, settings

from tests.mutants.making import Mutant, mutants

#: Failing examples need not be small here, and the same mutant has the same end each time.
settings.register_profile(
    "mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)
#: Tests may have gone elsewhere.
_HERE = Path.cwd()
_NOTICED, _SURVIVED = 1, 0
_LEFT = ("survived", "not reached")
_QUIET = [
    "--assert=plain",
    "-o",
    "tmp_path_retention_policy=failed",
    "-q",
    "-s",
    "-p",
    "no:cacheprovider",
    "-W",
    "ignore::pytest.PytestWarning",
]


@dataclass
class Reached:
    """What the tests did without any fault."""

    #: In seconds, by the test's id.
    lasted: dict[str, float] = field(default_factory=dict)
    #: The tests that have reached each line of each file.
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)


class Hunt:
    """A plugin of pytest that hunts mutants in the place of running the tests."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._items: dict[str, pytest.Item] = {}
        self._functions: list[FunctionType] = []
        self._reached = Reached()
        self._again = None if options.again is None else _left(options.again)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        # Once, and not in each fork.
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        for module in self._options.modules:
            importlib.import_module(_name(Path(module).resolve()))
        gc.collect()
        self._functions = [one for one in gc.get_objects() if isinstance(one, FunctionType)]
        gc.freeze()
        self._reached = self._reach()
        _tell(f"{len(self._items)} tests, {sum(self._reached.lasted.values()):.0f} s")
        for module in self._options.modules:
            self._hunt(module)
        return True

    def _reach(self) -> Reached:
        """Run all tests once, in a fork of their own: it leaves nothing behind here."""
        reading, writing = os.pipe()
        if not (child := os.fork()):
            reached = Reached()
            measured = Coverage(
                data_file=None, include=[str(Path(one).resolve()) for one in self._options.modules],
                config_file=False,
            )  # fmt: skip
            measured.start()
            for nodeid in self._items:
                measured.switch_context(nodeid)
                begun = time.monotonic()
                if self._fails([nodeid]):
                    _tell(f"fails without any fault, and is left out: {nodeid}")
                    continue
                reached.lasted[nodeid] = time.monotonic() - begun
            measured.stop()
            with warnings.catch_warnings(action="ignore", category=CoverageWarning):
                data = measured.get_data()  # it warns where no module was reached
            for name in data.measured_files():
                reached.lines[name] = data.contexts_by_lineno(name)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(reached, pipe)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            found: Reached = pickle.load(pipe)  # noqa: S301 -- from our own child
        os.waitpid(child, 0)
        return found

    def _fails(self, nodeids: list[str]) -> bool:
        """Return whether a test fails; without what costs time, such as to explain why."""
        for at, nodeid in enumerate(nodeids):
            item = self._items[nodeid]
            after = self._items[nodeids[at + 1]] if at + 1 < len(nodeids) else None
            try:
                item._initrequest()  # type: ignore[attr-defined]
                item.stash[tmppath_result_key] = {}
                item.ihook.pytest_runtest_setup(item=item)
                item.ihook.pytest_runtest_call(item=item)
                item.ihook.pytest_runtest_teardown(item=item, nextitem=after)
            except BaseException:  # noqa: BLE001 -- whatever a mutant raises
                return True
        return False

    def _hunt(self, module: str) -> None:
        ends: Counter[str] = Counter()
        path = Path(module).resolve()
        if not (lines := self._reached.lines.get(str(path), {})):
            _tell(f"{module}: no test reaches it")
        begun = time.monotonic()
        with Path(self._options.log).open("a") as log:
            for number, mutant in enumerate(mutants(path.read_text())):
                if self._again is not None and (module, number) not in self._again:
                    continue
                if self._options.within and mutant.function_line is None:
                    continue
                if mutant.function_line is None:
                    tests = self._within_budget({one for here in lines.values() for one in here})
                    run = partial(self._is_noticed_anew, path, mutant, tests)
                else:
                    tests = self._within_budget(set(lines.get(mutant.line, ())))
                    run = partial(self._is_noticed, path, mutant, tests)
                end = self._forked(run, tests)
                ends[end] += 1
                told = {"module": module, "number": number, "line": mutant.line, "end": end,
                    "tests": len(tests), "what": mutant.what}  # fmt: skip
                log.write(json.dumps(told, ensure_ascii=False) + "\n")
                log.flush()
                if end != "killed" and lines:
                    _tell(f"{module}:{mutant.line}: {end} ({len(tests)}): {mutant.what}")
        counts = ", ".join(f"{count} {end}" for end, count in ends.items())
        took = time.monotonic() - begun
        _tell(f"{module}: {ends.total()} mutants: {counts} ({took:.0f} s)\n")

    def _within_budget(self, nodeids: set[str]) -> list[str]:
        """Return the tests to run, the quickest first, as many as there is time for."""
        lasted, left = self._reached.lasted, self._options.budget
        chosen: list[str] = []
        for nodeid in sorted(nodeids & lasted.keys(), key=lambda one: lasted[one]):
            left -= lasted[nodeid]
            if left < 0 and chosen:
                break
            chosen.append(nodeid)
        return chosen

    def _forked(self, is_noticed: Callable[[], bool], tests: list[str]) -> str:
        if not tests:
            return "not reached"
        if not (child := os.fork()):
            os.setsid()
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nowhere, stream)
            end = _NOTICED
            try:
                end = _NOTICED if is_noticed() else _SURVIVED
            finally:
                os._exit(end)
        until = time.monotonic() + 4 * sum(self._reached.lasted[one] for one in tests) + 5
        while time.monotonic() < until:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return "survived" if status == _SURVIVED else "killed"
            time.sleep(0.005)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timed out"

    def _is_noticed(self, path: Path, mutant: Mutant, tests: list[str]) -> bool:
        """Return whether a test fails with the mutant's function in the place of the module's."""
        codes = {
            (code.co_qualname, code.co_firstlineno): code
            for code in _codes(compile(mutant.tree, str(path), "exec"))
        }
        for found in self._functions:
            if found.__code__.co_filename == str(path):
                code = found.__code__
                found.__code__ = codes.get((code.co_qualname, code.co_firstlineno), code)
        return self._fails(tests)

    def _is_noticed_anew(self, path: Path, mutant: Mutant, tests: list[str]) -> bool:
        """Return whether a test fails in a fresh import of everything, with the mutant."""
        for name in [*sys.modules]:
            if name.partition(".")[0] in {"importer", "tests"} and "tests.mutants" not in name:
                del sys.modules[name]
        name = _name(path)
        sys.meta_path.insert(0, _Finder(name, path, compile(mutant.tree, str(path), "exec")))
        return pytest.main([*_QUIET, "-x", *tests]) != pytest.ExitCode.OK


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a module whose code is given."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(self._path))
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102 -- a mutant of our own


def _codes(code: CodeType) -> list[CodeType]:
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    return [code, *(found for one in inner for found in _codes(one))]


def _name(path: Path) -> str:
    """Return the name of the module in a file."""
    return ".".join(path.relative_to(_HERE).with_suffix("").parts)


def _left(log: Path) -> set[tuple[str, int]]:
    """Return the mutants that were not noticed, by module and number."""
    found = map(json.loads, log.read_text().splitlines())
    return {(one["module"], one["number"]) for one in found if one["end"] in _LEFT}


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="+", help="files whose mutants are hunted")
    parser.add_argument("--tests", nargs="+", required=True, help="files or folders of tests")
    parser.add_argument("--marked", default="not slow", help="as -m of pytest")
    parser.add_argument("--budget", type=float, default=6.0, help="seconds of tests for a mutant")
    parser.add_argument("--within", action="store_true", help="only within functions")
    parser.add_argument("--again", type=Path, help="a log: only what no test had noticed then")
    parser.add_argument("--log", default=os.devnull, help="JSON lines, one for each mutant")
    options = parser.parse_args()
    settings.load_profile("mutants")
    arguments: list[Any] = [*_QUIET, "-m", options.marked, *options.tests]
    sys.exit(pytest.main(arguments, plugins=[Hunt(options)]))


if __name__ == "__main__":
    main()
