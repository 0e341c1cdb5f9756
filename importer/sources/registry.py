"""Opens an input with the reader for its kind.

A kind of file is a line in `FORMATS`, its name in `InputFormat`, and a module with `open_file`.
What is no local file is copied first (`copies/`), and then it is a file of one of these kinds.
"""

from __future__ import annotations

import errno
import stat
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from importer.common.text import composed, nearest, shell_word
from importer.errors import InputError
from importer.settings import ImportSettings, InputFormat
from importer.sources.base import RowSource
from importer.sources.location import FileKind, kind_of, name_within


class FormatEntry(NamedTuple):
    """A format of files: how one is known, and which module opens it.

    The module has `open_file(path, name, settings) -> RowSource`, and `first_rows` unless
    `preview` knows the format itself; `extra` is what is to be installed for it.
    """

    format: InputFormat
    module: str
    endings: Sequence[str]
    #: What a file without a known ending begins with.
    kinds: Sequence[FileKind] = ()
    extra: str = ""


FORMATS: Sequence[FormatEntry] = (
    FormatEntry(InputFormat.CSV, "csv.file", (".csv", ".tsv", ".tab", ".psv", ".txt")),
    FormatEntry(InputFormat.PARQUET, "parquet.file", (".parquet", ".pq"), (FileKind.PARQUET,)),
    FormatEntry(InputFormat.JSON, "json_file", (".jsonl", ".ndjson", ".json"), (FileKind.JSON,)),
    FormatEntry(InputFormat.EXCEL, "workbook", (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
                extra="excel"),
)  # fmt: skip
_BY_ENDING = {ending: entry.format for entry in FORMATS for ending in entry.endings}
#: They are not read from their beginning to their end.
_NOT_IN_ARCHIVES = (InputFormat.PARQUET, InputFormat.EXCEL)
_COMPRESSION_ENDINGS = {".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz", ".zip"}


def open_source(path: Path, settings: ImportSettings, name: str | None = None) -> RowSource:
    """Open one file and check its header. The caller closes it.

    `name` is what messages call it, if that is not its path. Raises `InputError` if the file is
    not there, cannot be read, is not what its name says, or lacks a column, or if its kind needs
    an extra that is not installed.
    """
    name = name or str(path)
    check_file(path, name)
    meant = format_of(path, name, settings.reading.format)
    source: RowSource = reader_of(meant, name).open_file(path, name, settings)
    return source


def reader_of(meant: InputFormat, name: str) -> ModuleType:
    """Return the module that reads a format. Raises `InputError` if its extra is missing."""
    entry = next(entry for entry in FORMATS if entry.format is meant)
    return load(entry.module, entry.extra, name)


def load(module: str, extra: str, name: str) -> ModuleType:
    """Return a module of this package.

    Raises `InputError`, with the command that installs it, if it needs an `extra` that is missing.
    """
    try:
        return import_module(f"importer.sources.{module}")
    except ImportError:
        if not extra:
            raise
        raise InputError(
            f"{name}: to read it, install the extra: pip install 'clarityq-importer[{extra}]'"
        ) from None


def check_file(path: Path, name: str) -> None:
    """Raise `InputError`, with what may be meant, unless `path` is a file that holds something."""
    try:
        found = path.stat()
    except OSError as error:
        hint = _what_is_meant(path) if error.errno == errno.ENOENT else ""
        raise InputError(f"{name}: {error.strerror}{hint}") from None
    except ValueError as error:  # a NUL in the name
        raise InputError(f"{name}: {error}") from None
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path} is a directory: {_files_in(path)}")
    if not stat.S_ISREG(found.st_mode):
        command = "clarityq-import run - --format csv"
        # What a shell calls so is gone when it shows its next prompt.
        is_lasting = path.parent != Path("/dev/fd")
        paste = f"{command} < {shell_word(name)}" if is_lasting else f"PROGRAM | {command}"
        raise InputError(
            f"{name} is not a regular file: an import reads its input more than once. Give it as "
            f"standard input, which is copied: {paste}"
        )
    if found.st_size == 0:
        raise InputError(f"{name} is empty: it holds 0 bytes, not even a header")


def _what_is_meant(path: Path) -> str:
    """Return the end of the message on a file that is not there: what may be meant instead."""
    if path.is_symlink():
        return f"; it is a link to {path.readlink()}, which does not exist"
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.exists()]
    except OSError:
        return ""
    twin = next((name for name in names if composed(name) == composed(path.name)), None)
    if twin is not None:
        return (
            "; there is a file whose name looks the same and is other characters (another Unicode "
            f"form): {shell_word(str(path.with_name(twin)))}"
        )
    meant = nearest(path.name, names, cutoff=0.75)
    return f"; did you mean {shell_word(str(path.with_name(meant)))}?" if meant else ""


def _files_in(folder: Path) -> str:
    """Return how to name the files that a folder holds."""
    try:
        names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    except OSError as error:
        return f"and it cannot be listed ({error.strerror})"
    endings = Counter(
        "".join(Path(name).suffixes[-2:]) if _inner_ending(name) in _BY_ENDING else ""
        for name in names
        if not name.startswith((".", "_"))
    )
    del endings[""]
    if not endings:
        return "and it holds no files that can be read"
    ((ending, _),) = endings.most_common(1)
    ending = ending if Path(ending).suffix in _COMPRESSION_ENDINGS else Path(f"x{ending}").suffix
    return f"name the files in it, such as {shell_word(str(folder))}/*{ending}"


def _inner_ending(name: str) -> str:
    """Return the ending of a name, in lower case, without that of a compression."""
    path = Path(name)
    if path.suffix.lower() in _COMPRESSION_ENDINGS:
        path = path.with_suffix("")
    return path.suffix.lower()


def has_known_ending(name: str) -> bool:
    """Return whether the name of a file tells its format."""
    return _inner_ending(name) in _BY_ENDING


def format_of(path: Path, name: str, given: InputFormat | None) -> InputFormat:
    """Return the format of a file: the one that is `given`, or by its name or its first bytes."""
    if given is not None:
        return given
    if (found := _BY_ENDING.get(_inner_ending(path.name))) is not None:
        return found
    kind = kind_of(path, name)
    for entry in FORMATS:
        if kind in entry.kinds:
            return entry.format
    inner = name_within(path, name)
    found = _BY_ENDING.get(_inner_ending(inner))
    is_packed = Path(inner).suffix.lower() in _COMPRESSION_ENDINGS
    if is_packed or (inner and found in _NOT_IN_ARCHIVES):
        raise InputError(
            f"{name} is a zip archive that holds {inner!r}, which cannot be read within it: "
            f"extract it (unzip {shell_word(name)}) and name the file to import"
        )
    if found is not None:
        return found
    raise InputError(
        f"{name}: its name does not tell the format. If it is CSV (with any delimiter), add "
        "--format csv"
    )
