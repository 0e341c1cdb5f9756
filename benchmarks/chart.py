"""Draws the README's chart of what clients send, from the figures in RESULTS.md.

Run as `python -m benchmarks.chart`.
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.__main__ import RESULTS

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "speed.svg"
#: The peers that are shown, and what they are called there.
_CLIENTS = {
    "clarityq-import": "clarityq-import, the whole job",
    "tuned": "aiohttp, tuned by hand",
    "naive": "aiohttp, as one writes it first",
    "requests_threads": "requests, 64 threads",
    "dlt_destination": "dlt, a destination of one's own",
    "drt_sync": "drt",
    "httpx_async": "httpx",
}
_OURS, _OTHERS, _INK = "#2a78d6", "#9aa5b1", "#5b6570"


def main() -> None:
    """Draw the clients with 64 requests at once that `sending` has measured."""
    rows = re.findall(r"^\| 64 \| ([^|]+) \| ([\d,]+) \|", _section("sending"), re.MULTILINE)
    speeds = {name: int(speed.replace(",", "")) for name, speed in rows if name in _CLIENTS}
    names = sorted(speeds, key=speeds.__getitem__)
    # The same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": "speed", "svg.fonttype": "none", "text.color": _INK})
    figure = Figure(figsize=(8, 0.38 * len(names) + 0.5), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(
        [_CLIENTS[name] for name in names],
        [speeds[name] for name in names],
        color=[_OURS if name == "clarityq-import" else _OTHERS for name in names],
    )
    axes.bar_label(bars, labels=[f"{speeds[name]:,}" for name in names], padding=4, color=_INK)
    axes.set_title("rows a second, 64 requests at once, a service without latency", color=_INK)
    axes.xaxis.set_visible(False)
    axes.tick_params(colors=_INK, length=0)
    axes.spines[:].set_visible(False)
    axes.margins(x=0.12)
    figure.savefig(PICTURE, transparent=True, metadata={"Date": None})


def _section(name: str) -> str:
    """Return what RESULTS.md has of a scenario."""
    pattern = rf"^## {name}\n(.*?)(?=^## |\Z)"
    found = re.search(pattern, RESULTS.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{name} has not been measured: python -m benchmarks {name} --write"
    return found[1]


if __name__ == "__main__":
    main()
