"""What was found in the inputs, for people: what `check` and `plan` begin with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from rich.console import Console
from rich.table import Table

from importer.common.durations import format_duration
from importer.common.text import counted, did_you_mean, shell_word, shown, trimmed
from importer.feedback.normalise import COMMENT_LIMIT
from importer.feedback.null_markers import is_null_marker, null_options
from importer.feedback.ratings import known_by, preset_for
from importer.jobs.commands import command_line, options_told, path_argument
from importer.model import Reason
from importer.reporting.wording import how_to_fix, words
from importer.settings import ImportSettings, LongComments
from importer.settings.groups import Reading, RowMapping
from importer.sources.columns import column_options
from importer.survey.findings import Findings, Understanding
from importer.survey.superseded import MOST_REJECTED
from importer.workflows.likely_columns import reads_like_date

#: Requests per second for which the duration is told when no --rate is given.
_RATES = (100.0, 1000.0)
_MOST_WORDS_SHOWN = 30
_MOST_UNKNOWN_SHOWN = 3


def print_findings(found: Findings, settings: ImportSettings, console: Console) -> None:
    """Print how the inputs were understood, what would be rejected, and how to fix it."""
    for one in found.inputs:
        _print_understanding(one, settings, console)
    console.print(_verdict(found))
    console.print(
        f"{counted(found.rows, 'row')} read: {found.valid:,} can be sent, "
        f"{found.rejected:,} would be rejected, {found.skipped:,} skipped."
    )
    _print_problems(found, console)
    _print_words(found, settings, console)
    _print_remarks(found, settings, console)
    _print_fixes(found, settings, console)


def _print_understanding(one: Understanding, settings: ImportSettings, console: Console) -> None:
    """Print which column holds what, and how the file was read."""
    holds = ", ".join(f"{field} in {shown(name)}" for field, name in one.columns.items())
    console.print(f"{one.file}: {one.format}{_text_format(one)}; {holds}", soft_wrap=True)
    if one.ignored:
        names = ", ".join(map(shown, one.ignored[:_MOST_WORDS_SHOWN]))
        console.print(f"  ignored: {names}", soft_wrap=True)
    for remark in one.remarks:
        console.print(f"  {remark}", soft_wrap=True)
    for proposal in _proposals(one, settings):
        console.print(f"  {proposal}", soft_wrap=True)


def _proposals(one: Understanding, settings: ImportSettings) -> Iterator[str]:
    """Yield how to name the columns that may hold a field for which there is none."""
    for field, names in one.likely.items():
        column = names[0] if len(names) == 1 else "NAME"
        options = column_options({field: column}, settings.mapping.columns)
        yield f"if {' or '.join(map(shown, names))} holds the {field}: {options}"


def _text_format(one: Understanding) -> str:
    if one.delimiter is None:
        return ""
    delimiter = "tab" if one.delimiter == "\t" else shown(one.delimiter)
    return f", {one.encoding}, delimiter {delimiter}"


def _verdict(found: Findings) -> str:
    if not found.rejected:
        return "Ready: every row can be sent or is to be skipped."
    if not found.valid:
        return "Not ready: no row can be sent. See below what to fix."
    return "Not quite ready: some rows would be rejected. See below what to fix."


def _print_problems(found: Findings, console: Console) -> None:
    if not found.problems:
        return
    several = len(found.inputs) > 1
    table = Table("rejected because", "rows", "for example", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for reason, problem in sorted(found.problems.items(), key=lambda item: -item[1].rows):
        for place, example in enumerate(problem.examples):
            where = f"row {example.row:,}"
            if example.line is not None:
                where += f" (line {example.line:,})"
            if several:
                where = f"{example.file} {where}"
            table.add_row(
                words(reason) if not place else "",
                f"{problem.rows:,}" if not place else "",
                f"{where}: {example.detail}",
            )
    console.print()
    console.print(table)


def _print_words(found: Findings, settings: ImportSettings, console: Console) -> None:
    if not found.words:
        return
    table = Table("rating", "rows", "becomes", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for word, one in islice(found.words.items(), _MOST_WORDS_SHOWN):
        fate = str(one.meaning) if one.meaning else f"rejected{_nearest(word, settings)}"
        table.add_row(shown(word), f"{one.rows:,}", fate)
    console.print()
    console.print(table)
    hidden = len(found.words) - _MOST_WORDS_SHOWN
    if hidden > 0 or found.other_words:
        console.print(f"… and {counted(max(hidden, 1), 'more word')}, or more")
    console.print()


def _print_remarks(found: Findings, settings: ImportSettings, console: Console) -> None:
    if found.long_comments:
        fate = (
            "to be cut (--long-comments truncate)"
            if settings.mapping.long_comments is LongComments.TRUNCATE
            else "to be rejected (--long-comments truncate would cut instead)"
        )
        console.print(
            f"{counted(found.long_comments, 'comment')} over {COMMENT_LIMIT:,} characters, {fate}; "
            "those of rows that are rejected or skipped anyway are among them."
        )
    if found.comment_only:
        console.print(
            f"{counted(found.comment_only, 'row')} with a comment only: sending one erases the "
            "rating that the conversation may have, since feedback is replaced as a whole."
        )
    if found.rating_only:
        console.print(
            f"{counted(found.rating_only, 'row')} with a rating only: sending one erases the "
            "comment that the conversation may have."
        )
    if found.repeated_conversations:
        examples = ", ".join(
            f"{one.conversation_id} ({one.rows:,} rows)" for one in found.repeated_examples
        )
        winner = "last" if settings.mapping.newest_by is None else "newest"
        of_jobs = (
            " (of rows left over from earlier jobs, first the job decides)"
            if found.has_left_overs and not settings.job.as_new
            else ""
        )
        carried = found.carried_superseded
        of_them = f", {carried:,} of them left over from earlier jobs" if carried else ""
        console.print(
            f"{counted(found.repeated_conversations, 'conversation')} of {found.conversations:,} "
            f"with more than one row. The {winner} row of each wins{of_jobs}: "
            f"{counted(found.superseded + carried, 'other row')} will be superseded{of_them}. "
            f"For example: {examples}."
        )
    if older := found.older_than_rejected:
        is_all = found.rejected <= MOST_REJECTED and not found.rejected_uncompared
        least = "" if is_all else "at least "
        after = ", or imported after it"
        if settings.mapping.newest_by is not None:  # which is newer is not looked at then
            after = ": what is fixed afterwards gives way to the other rows of its conversation"
        console.print(
            f"In {least}{counted(older, 'conversation')} an older row wins, as a newer one would "
            f"be rejected: it is to be fixed before the import{after}."
        )
    if any(
        (
            found.long_comments,
            found.comment_only,
            found.rating_only,
            found.repeated_conversations,
            found.older_than_rejected,
        )
    ):
        console.print()


def _print_fixes(found: Findings, settings: ImportSettings, console: Console) -> None:
    """Print what to do about each problem, as text that can be pasted."""
    if not found.problems:
        return
    console.print("To fix:")
    input_of = {one.file: one for one in found.inputs}
    for reason, problem in sorted(found.problems.items(), key=lambda item: -item[1].rows):
        inputs = {example.file: input_of[example.file] for example in problem.examples}
        is_rating = reason is Reason.UNKNOWN_RATING
        step = (
            _fix_ratings(found, settings)
            if is_rating
            else how_to_fix(reason, inputs.values(), found, settings.mapping.columns)
        )
        if reason is Reason.NOTHING_TO_SEND and (named := [*_proposals(found.inputs[0], settings)]):
            step = f"{'; '.join(named)}; else {step}"
        console.print(f"- {words(reason)}: {step}", soft_wrap=True)
    console.print()


def _fix_ratings(found: Findings, settings: ImportSettings) -> str:
    """Return how to make unknown words known. SKIP is not proposed: it drops comments as well.

    What is in force is told with it: an argument takes the place of a whole configuration.
    """
    unknown = [word for word, one in found.words.items() if one.meaning is None]
    given = settings.mapping
    options, verb = [], "add"
    if (preset := preset_for(unknown)) is not None:
        parts = [preset, *given.ratings.given]  # the later ones win
        verb = "add" if len(parts) == 1 else "give"
        options += [f"--ratings {shell_word(part)}" for part in dict.fromkeys(parts)]
        known = known_by(preset, unknown)
        unknown = [word for word in unknown if word not in known]
    nulls = dict.fromkeys(trimmed(word) for word in unknown if is_null_marker(word))
    if nulls:
        verb = "give" if given.nulls else verb
        options.append(null_options(nulls, given.nulls))
    unknown = [word for word in unknown if not is_null_marker(word)]
    dates = [word for word in unknown if reads_like_date(word)]
    unknown = [word for word in unknown if word not in dates]
    steps = [f"{verb} {' '.join(options)}"] if options else []
    if dates:
        steps.append(
            f"see what {_some_of(dates)} stood for: a spreadsheet makes such a date of 5/5, so "
            "export the column again as text"
        )
    if unknown:
        steps.append(
            f"give {_some_of(unknown)} a meaning (POSITIVE, NEGATIVE, CLEAR for no rating, or "
            "SKIP, which leaves out the comments of these rows as well). This drafts a table of "
            f"all words: {_draft_command(settings)}"
        )
    return ", and ".join(steps)


def _some_of(words: Sequence[str]) -> str:
    """Return the first of the words, as they are shown, and whether there are more."""
    more = " and others" if len(words) > _MOST_UNKNOWN_SHOWN else ""
    return ", ".join(shown(trimmed(word)) for word in words[:_MOST_UNKNOWN_SHOWN]) + more


def _draft_command(settings: ImportSettings) -> str:
    """Return the command that drafts a rating table for the same inputs."""
    known = {option.name for group in (Reading, RowMapping) for option in group.options}
    record = settings.as_record()
    others = [name for name in record if name not in known or name in ("inputs", "ratings")]
    # As they were given: a record holds a table in a file word by word.
    tables = [part for given in settings.mapping.ratings.given for part in ("--ratings", given)]
    return command_line(
        [
            "check",
            *map(path_argument, settings.reading.inputs),
            *options_told(record, without=others),
            *tables,
            *("--write-ratings", "ratings.toml"),
        ]
    )


def _nearest(word: str, settings: ImportSettings) -> str:
    # Of numbers and dates the likest is another one.
    digits = [*filter(str.isdecimal, word)]
    known = [
        known.upper()
        for known in settings.mapping.ratings.words
        if [*filter(str.isdecimal, known)] == digits
    ]
    return did_you_mean(word.strip().upper(), known, cutoff=0.75)


def print_durations(requests: int, settings: ImportSettings, console: Console) -> None:
    """Print how long so many requests take, at the rate that is given or at usual ones."""
    rates = _RATES if settings.pacing.rate is None else (settings.pacing.rate,)
    for rate in rates if requests else ():
        console.print(
            f"At {rate:,g} requests/s the import takes about {format_duration(requests / rate)}."
        )
