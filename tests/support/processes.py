"""Processes of this machine, as Linux tells of them."""

from pathlib import Path


def children(pid: int | None = None) -> set[int]:
    """Return the processes that one has started; by default this one."""
    found = set()
    for task in Path(f"/proc/{pid or 'self'}/task").iterdir():
        found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def arguments(pid: int) -> str:
    """Return a process's command line; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except FileNotFoundError:
        return ""
