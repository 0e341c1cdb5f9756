"""The machine: versions, the jobs folder and its space, and the limits of the process."""

from __future__ import annotations

import os
import platform
import resource
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from importer.clarityq.file_limit import OTHER_FILES
from importer.common.file_system import file_system
from importer.errors import InputError
from importer.settings.places import SourceAddress
from importer.sources.copies.carriers import carrier_of
from importer.sources.registry import format_of, reader_of
from importer.workflows.doctor.finding import Finding, Subject, fails, fine, look

_PACKAGE = "clarityq-importer"
_LIBRARIES = ("aiohttp", "anyio", "click", "msgspec", "numpy", "pandas", "pyarrow", "tenacity")
_EXTRAS = ("cloud", "excel", "sql", "distributed", "otel")
#: A run needs about half of it, whatever the size of its inputs.
_ENOUGH_MEMORY = 256 * 1024**2
#: Journal, ledger and left-over files together, as a multiple of the inputs' size, at worst.
_SPACE = 5
#: How much larger a packed input becomes.
_PACKED = 4
_PACKED_NAMES = (".gz", ".zst", ".bz2", ".xz", ".parquet")
#: The limit of a control group that has none: more than any machine has.
_NO_LIMIT = 1 << 50


def versions() -> Finding:
    """Return the versions of all that runs."""
    found = {name: version(name) for name in _LIBRARIES}
    importer = version(_PACKAGE)
    system = f"{platform.system()} {platform.release()} ({platform.machine()})"
    python = platform.python_version()
    libraries = ", ".join(f"{name} {number}" for name, number in found.items())
    return fine(
        Subject.VERSIONS,
        f"clarityq-import {importer}, Python {python} on {system}; {libraries}",
        importer=importer, python=python, system=system, libraries=found,
    )  # fmt: skip


def extras(*, telemetry: bool, workers: bool) -> Finding:
    """Return which optional parts are installed, and whether one is missing that is asked for."""
    parts = {"uvloop": find_spec("uvloop") is not None}
    parts |= {name: _has_extra(name) for name in _EXTRAS}
    text = ", ".join(f"{name}: {'installed' if has else 'no'}" for name, has in parts.items())
    if workers and not parts["distributed"]:
        needs = f"--workers and --cluster need {_PACKAGE}[distributed]"
        return fails(Subject.EXTRAS, f"{text}; {needs}", **parts)
    if telemetry and not parts["otel"]:
        return look(Subject.EXTRAS, f"{text}; --telemetry needs {_PACKAGE}[otel]", **parts)
    return fine(Subject.EXTRAS, text, **parts)


def _has_extra(name: str) -> bool:
    marker = f'extra == "{name}"'
    needed = [line for line in requires(_PACKAGE) or () if marker in line.replace("'", '"')]
    try:
        for line in needed:
            version(line.partition(";")[0].partition(">")[0].strip())
    except PackageNotFoundError:
        return False
    return True


def inputs(paths: Sequence[Path], addresses: Sequence[SourceAddress] = ()) -> Finding:
    """Return whether the inputs can be read, without reading them."""
    problems = []
    for address in addresses:
        problems += _missing(partial(carrier_of, address))
    for path in paths:
        if not path.exists():
            problems.append(f"{path} is missing")
        elif not path.is_file():
            problems.append(f"{path} is not a file")
        elif not os.access(path, os.R_OK):
            problems.append(f"{path} may not be read by this user")
        else:
            problems += _missing(partial(_reader_for, path))
    if problems:
        return fails(Subject.INPUTS, "; ".join(problems))
    size = sum(path.stat().st_size for path in paths)
    text = f"{len(paths)} of {_bytes(size)} can be read; `check` tells what is in them"
    if addresses:
        text += f"; {len(addresses)} to be copied"
    return fine(Subject.INPUTS, text, bytes=size)


def _reader_for(path: Path) -> ModuleType:
    return reader_of(format_of(path, str(path), None), str(path))


def _missing(load: Callable[[], object]) -> list[str]:
    """Return what is missing to read an input, such as an extra."""
    try:
        load()
    except InputError as error:
        return [str(error)]
    return []


def jobs_folder(folder: Path, inputs: Sequence[Path]) -> Iterator[Finding]:
    """Yield whether jobs can be kept in a folder, which may not be there yet."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    kind = file_system(folder)
    name = "unknown" if kind is None else kind.name
    facts = {"path": str(folder), "exists": there == folder.absolute(), "file_system": name}
    if not there.is_dir():
        yield fails(Subject.JOBS_FOLDER, f"{there} is not a folder: see --jobs-dir", **facts)
        return
    if not os.access(there, os.W_OK | os.X_OK):
        text = f"{there} may not be written by this user: see --jobs-dir"
        yield fails(Subject.JOBS_FOLDER, text, **facts)
    elif kind is not None and kind.is_shared:
        yield look(
            Subject.JOBS_FOLDER,
            f"{folder} is on a network file system ({name}): jobs are slower there, and refused if "
            "files cannot be locked; a local disk is better",
            **facts,
        )
    else:
        made = "" if facts["exists"] else ", will be made"
        yield fine(Subject.JOBS_FOLDER, f"{folder} ({name}) can be written{made}", **facts)
    yield _space(there, inputs)


def _space(there: Path, inputs: Sequence[Path]) -> Finding:
    free = shutil.disk_usage(there).free
    need = sum(
        path.stat().st_size * _SPACE * (_PACKED if path.suffix in _PACKED_NAMES else 1)
        for path in inputs
        if path.is_file()
    )
    facts = {"free_bytes": free, "needed_bytes": need}
    if free < (least := max(need, 1 << 20)):
        text = f"{_bytes(free)} free, and a job may need {_bytes(least)}: see --jobs-dir"
        return look(Subject.SPACE, text, **facts)
    asked = f", at most {_bytes(need)} needed" if inputs else ""
    return fine(Subject.SPACE, f"{_bytes(free)} free{asked}", **facts)


def open_files(concurrency: int) -> Finding:
    """Return whether the process may have as many connections as requests in flight."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = concurrency + OTHER_FILES
    facts = {"soft": soft, "hard": hard, "concurrency": concurrency}
    if hard != resource.RLIM_INFINITY and hard < need:
        text = f"{hard} allowed, and {need} needed: lower --concurrency, or see `ulimit -Hn`"
        return fails(Subject.OPEN_FILES, text, **facts)
    allowed = "no limit" if hard == resource.RLIM_INFINITY else f"up to {hard} allowed"
    return fine(Subject.OPEN_FILES, f"{allowed}, {need} needed", **facts)


def memory() -> Finding:
    """Return the memory that the process may use: the least of the machine's and its groups'."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    group = memory_limit()
    limit = machine if group is None else min(machine, group)
    facts = {"limit_bytes": limit, "limited_by_control_group": limit < machine}
    where = "the control group (container) allows" if limit < machine else "the machine has"
    if limit < _ENOUGH_MEMORY:
        text = f"{where} {_bytes(limit)}: give it {_bytes(_ENOUGH_MEMORY)} or more"
        return look(Subject.MEMORY, text, **facts)
    return fine(Subject.MEMORY, f"{where} {_bytes(limit)}", **facts)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the least limit of the control groups that this process is in, in bytes, if any."""
    try:
        lines = (root / "proc/self/cgroup").read_text("ascii").splitlines()
    except (OSError, ValueError):
        return None
    limits = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        mounted, name = (
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            if controllers
            else ("sys/fs/cgroup", "memory.max")
        )
        folder = root / mounted / group.lstrip("/")
        # In a container the group's own path may not be there, and its limit stands at the top.
        for path in (folder, *folder.parents):
            try:
                limit = int((path / name).read_text("ascii"))
            except (OSError, ValueError):  # no such file, or "max"
                continue
            if limit < _NO_LIMIT:
                limits.append(limit)
    return min(limits, default=None)


def _bytes(number: float) -> str:
    power = min(4, max(0, (int(number).bit_length() - 1) // 10))
    return f"{number / 1024**power:,.1f} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
