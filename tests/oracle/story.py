"""Tells a history that went wrong: whole, and of few conversations all that happened."""

from __future__ import annotations

import re
from pathlib import Path

from tests.oracle.player import Player


def story(player: Player, complaints: list[str], folder: Path) -> str:
    """Tell what was done, and of the conversations that are complained about all that happened."""
    kinds: dict[str, list[str]] = {}
    for complaint in complaints:
        kinds.setdefault(complaint.split(":")[0], []).append(complaint)
    told = [complaint for same in kinds.values() for complaint in same[:3]]
    lines = [f"played in {folder}", *player.operator.diary, *told]
    named = re.findall(r"\d{8}-0000-4000-8000-000000000000", " ".join(told))
    for conversation in list(dict.fromkeys(named))[:4]:
        lines.append(f"about {conversation}:")
        for job in player.jobs:
            for row in job.brought():
                if row.conversation == conversation:
                    lines.append(
                        f"  job {job.number} ({job.folder}, {job.fate.name}) {row.rank}"
                        f" {row.feedback}: {row.outcome} {row.reason}"
                    )
                    lines += [f"    request {put.number}: {put.answered}" for put in row.sent]
        lines += [
            f"  after request {effect.after}: holds {effect.feedback}"
            for effect in player.desk.service.effects
            if effect.conversation == conversation
        ]
    return "\n".join(lines)
