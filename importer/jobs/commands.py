"""The commands that a person types next, as words and in a line."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple, Self

from importer.common.text import shell_word
from importer.jobs.journal_file import FILE_NAME
from importer.settings import SETTINGS_GROUPS, ImportSettings
from importer.settings.derive import arguments
from importer.settings.places import Place

#: Options that no command that is printed repeats: those that are meant for one time only, and
#: `--quiet`, as whoever pastes it is to see what comes of it.
ONCE = ("restart", "replace", "accept_change", "quiet")
#: Options that concern the inputs and not the left-over files made of them.
NOT_OF_LEFT_OVERS = (
    *ONCE, "as_new", "limit", "format", "skip_lines", "sheet", "sql", "in_order", "inputs",
    "max_rejected", "max_changes", "outcomes",
)  # fmt: skip

#: Stands in a command for the file that holds what an input has held before.
FILE_KEPT = "FILE"
#: The option that takes back what a configuration sets.
UNSET = "--unset"
#: With these values, those of them that a configuration sets do not concern a left-over file.
_INSTEAD = {"skip_lines": 0, "format": "csv", "max_rejected": "100%", "max_changes": "100%"}
#: Those of them that are taken back there as a whole. The others do no harm.
_TAKEN_BACK = ("limit", "as_new", "outcomes", "quiet")


class Again(NamedTuple):
    """What one types after a run, as words; the same words stand wherever it is told."""

    #: To go on with the same job, or to begin it again.
    resume: Sequence[str]
    #: With which options a left-over file is imported.
    options: Sequence[str]
    #: The options for `retry`, which has the others from the job.
    of_retry: Sequence[str] = ()
    #: The options that say where the key is; empty if none does.
    key_source: Sequence[str] = ()
    #: Those that take back, for a left-over file, what a configuration sets for the inputs.
    taken_back: Sequence[str] = ()

    @classmethod
    def of(cls, settings: ImportSettings) -> Self:
        """Return the commands that mean the same as `settings`, of a run that no command began."""
        record = settings.as_record()
        inputs = [path_argument(path) for path in settings.reading.inputs]
        return cls(
            ["run", *inputs, *options_told(record, without=("inputs", *ONCE))],
            options_told(record, without=NOT_OF_LEFT_OVERS),
        )

    def same(self) -> str:
        """Return the command that resumes the job, or begins it again."""
        return command_line(_adding(self.resume, self._shown))

    @property
    def _shown(self) -> list[str]:
        """What lets a person who pastes a command see what comes of it."""
        return taking_back(["quiet"], self.taken_back)

    @property
    def takes_limit_back(self) -> bool:
        """Whether the rest can be sent as it is, and no limit is to be taken out of a file."""
        return self.resume[0] != "batch"

    def elsewhere(self) -> str:
        """Return the command for another address, which is to be filled in.

        `batch`, `retry` and `undo` have theirs from the imports and jobs that they are about.
        """
        if self.resume[0] != "run":
            return self.same()
        elsewhere = ["--base-url", "ADDRESS"]
        words = [*_without(self.resume, "--base-url"), *elsewhere]
        return command_line(_adding(words, self._shown))

    def rest(self) -> str:
        """Return the command that resumes the job without its `--limit`, whatever has set that."""
        unset = unsetting(["limit"])
        if "--limit" in self.resume or not self.takes_limit_back:
            unset = taking_back(["limit"], self.taken_back)
        return command_line(_adding(_without(self.resume, "--limit"), [*unset, *self._shown]))

    def plan(self) -> str:
        """Return the command that shows what the inputs would change; empty if none does."""
        if self.resume[0] != "run":
            return ""
        return command_line(_adding(["plan", *self.resume[1:]], self._shown))

    def accepting(self) -> str:
        """Return how one lets the data through."""
        if self.resume[0] == "batch":  # which has no options of its imports
            return f"write accept-change = true for this import, then {self.same()}"
        return f"{self.same()} --accept-change"

    def retry(self, folder: Path, only: Sequence[str] = ()) -> str:
        """Return the command that tries rows of the job in `folder` again, `only` some of them."""
        words = ["retry", path_argument(folder), *only, *self.of_retry]
        return command_line(_adding(words, self._shown))

    def of_file(self, path: Path, command: str = "run") -> str:
        """Return the command that imports, or plans, a left-over file as the inputs were."""
        words = [command, path_argument(path), *self.options]
        return command_line(_adding(words, self.taken_back))


def _adding(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the words of a command with `options`, each with its value, that it has not yet."""
    there = {*pairwise(words)}
    added = (pair for pair in zip(options[::2], options[1::2], strict=True) if pair not in there)
    return [*words, *chain.from_iterable(added)]


def _without(words: Sequence[str], option: str) -> list[str]:
    """Return the words of a command without an option and its value, if it is there."""
    if option not in words:
        return list(words)
    at = words.index(option)
    return [*words[:at], *words[at + 2 :]]


def path_argument(path: Place) -> str:
    """Return a path as an argument; one that begins as an option does is named from its folder.

    An address is returned without what may be secret in it.
    """
    text = str(path)
    return f"./{text}" if text.startswith("-") and isinstance(path, Path) else text


def command_line(words: Sequence[str]) -> str:
    """Return what one types in a shell; `$CLARITYQ_…` stays a variable."""
    quoted = (f'"{word}"' if word.startswith("$CLARITYQ_") else shell_word(word) for word in words)
    return " ".join(["clarityq-import", *quoted])


def of_moved_folder(purpose: str, command: str, given_in: Path, jobs_dir: Path) -> tuple[str, str]:
    """Return what is to be done, as it is now if the jobs folder was moved to `jobs_dir` since.

    What it is for, and the command, which was to be given in the folder `given_in`.
    """
    words = shlex.split(command)[1:]
    moved = {word: str(path) for word in words if (path := _moved(word, given_in, jobs_dir))}
    if not moved:
        return purpose, command
    for old, new in moved.items():
        purpose = purpose.replace(old, new)
    words = [moved.get(word, word) for word in words]
    if "--jobs-dir" in words:
        words[words.index("--jobs-dir") + 1] = str(jobs_dir)
    elif words[0] in ("run", "plan"):
        words += ["--jobs-dir", str(jobs_dir)]
    return purpose, command_line(words)


def _moved(word: str, given_in: Path, jobs_dir: Path) -> Path | None:
    """Return where it is now what a path into the jobs folder named; None if it still does."""
    parts = Path(word).parts
    for at, name in enumerate(parts):
        now, then = jobs_dir.joinpath(*parts[at:]), given_in / word
        if (jobs_dir / name / FILE_NAME).is_file() and now.exists():
            return None if then.exists() and then.samefile(now) else now
    return None


#: How rows that are in no left-over file are imported.
FROM_A_COPY = (
    "If a copy of the input is kept, put their lines, below its header, into a file of their own, "
    "correct them, and import that, without conversations that a later import has brought."
)


def to_see_which(folder: Path) -> str:
    """Return the command that tells how each row of a job ended."""
    return command_line(["outcomes", path_argument(folder), "-o", "outcomes.csv"])


def replacing_command(settings: ImportSettings, key_source: Sequence[str] = ()) -> str:
    """Return the command of these settings, with where the key is, and with `--replace`."""
    words = run_command(settings.as_record(), without=("replace",))
    return command_line([*words, *key_source, "--replace"])


def starting_over(settings: ImportSettings, key_source: Sequence[str] = ()) -> Again:
    """Return the command of these settings, with where the key is, and with `--restart`."""
    words = run_command(settings.as_record(), without=("restart", "quiet"))
    return Again([*words, *key_source, "--restart"], [])


def not_for_left_overs(configured: Collection[str]) -> list[str]:
    """Return the options that undo, for a left-over file, what is `configured` for the inputs."""
    undone = {name: value for name, value in _INSTEAD.items() if name in configured}
    taken_back = unsetting(name for name in _TAKEN_BACK if name in configured)
    return [*arguments(undone, SETTINGS_GROUPS.values()), *taken_back]


def unsetting(names: Iterable[str]) -> list[str]:
    """Return the arguments that take back what a configuration sets of these options."""
    return [word for name in names for word in (UNSET, name.replace("_", "-"))]


def taking_back(names: Sequence[str], taken_back: Sequence[str]) -> list[str]:
    """Return the arguments that take back those of the options that a configuration sets.

    They are among those that are `taken_back` for a left-over file.
    """
    return unsetting(name for name in names if name in taken_back)


def options_told(record: Mapping[str, object], without: Collection[str]) -> list[str]:
    """Return the options, as arguments, by which the settings of a run differ from the usual ones.

    Those in `without` are left out.
    """
    plain = ImportSettings.of(inputs=record["inputs"], product_id=record["product_id"]).as_record()
    told = {
        name: value
        for name, value in record.items()
        if name not in without and (name == "product_id" or value != plain.get(name))
    }
    if record.get("sandbox"):
        told.pop("base_url", None)  # each rehearsal has a mock server of its own
    return arguments(told, SETTINGS_GROUPS.values())


def run_command(record: Mapping[str, object], without: Collection[str]) -> list[str]:
    """Return the words of the command `run` with these settings, but for the options `without`."""
    inputs = record["inputs"]
    assert isinstance(inputs, Sequence)  # noqa: S101 -- a record holds a list of paths
    return ["run", *map(str, inputs), *options_told(record, without)]
