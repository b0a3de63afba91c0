"""Evidence from whole episodes by plain loops: what the quick form must give."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from also_wrappers.evidence.recorder import Episode
from also_wrappers.evidence.statistics import Layout


@dataclass(frozen=True)
class Story:
    """An episode, and the step of the window at which it ended."""

    episode: Episode
    time: int


def expected(layout: Layout, stories: list[Story], limit: float) -> dict[str, float]:
    """What the evidence must say.

    Args:
        layout: Names and sizes.
        stories: All episodes of the window.
        limit: The recorded event is ``team_max(first feature) > limit``.
    """
    out: dict[str, float] = {}
    returns = [story.episode.base_return for story in stories]
    times = [float(story.time) for story in stories]
    steps = [step for story in stories for step in _steps(story.episode)]
    agents = range(len(layout.agents))
    for i, name in enumerate(layout.agents):
        mine = [step for step in steps if step["alive"][i]]
        pairs = [step for step in mine if step["before"] is not None]
        pairs = [step for step in pairs if step["before"]["alive"][i]]
        own = list(layout.state)
        still = [_same(s["to"][i], s["from"][i], own) for s in mine]
        out[f"{name}.action.idle_share"] = sum(still) / max(len(mine), 1)
        back = [
            _same(s["to"][i], s["before"]["from"][i], own)
            and not _same(s["to"][i], s["from"][i], own)
            for s in mine
            if s["before"] is not None
        ]
        out[f"{name}.move.back_share"] = sum(back) / max(len(pairs), 1)
        moved = [
            any(
                s["action"][i][d] != s["before"]["action"][i][d]
                for d, size in enumerate(layout.actions[i])
                if size
            )
            for s in pairs
        ]
        if any(layout.actions[i]):
            out[f"{name}.action.switch_rate"] = sum(moved) / max(len(pairs), 1)
        for d, size in enumerate(layout.actions[i]):
            key = (
                f"{name}.action"
                if len(layout.actions[i]) == 1
                else f"{name}.action_{d}"
            )
            taken = [s["action"][i][d] for s in mine]
            if size:
                counts = Counter(int(action) for action in taken)
                out[f"{key}.entropy"] = _entropy(counts) / math.log(size)
                for choice in range(size):
                    out[f"{key}.{choice}.share"] = counts[choice] / max(len(taken), 1)
                    shares = [_share(story.episode, i, d, choice) for story in stories]
                    _effect(out, f"{key}.{choice}.better", shares, returns)
            else:
                out[f"{key}.mean"] = float(np.mean(taken)) if taken else 0.0
                out[f"{key}.std"] = float(np.std(taken)) if taken else 0.0
        visited = _cells(layout, stories, i)
        rows = sum(int(story.episode.alive[:, i].sum()) for story in stories)
        out[f"{name}.move.coverage"] = len(visited) / max(rows, 1)
    together = set().union(*[_cells(layout, stories, i) for i in agents])
    apart = sum(len(_cells(layout, stories, i)) for i in agents)
    out["team.redundancy"] = 1.0 - len(together) / apart
    for f, name in enumerate(layout.features):
        key = f"feature.{name}"
        seen = [s["to"][i][f] for s in steps for i in agents if s["alive"][i]]
        out[f"{key}.mean"] = float(np.mean(seen))
        out[f"{key}.std"] = float(np.std(seen))
        means = [_means(story.episode, f) for story in stories]
        average = [float(np.mean(mean[1:])) for mean in means]
        change = [mean[-1] - mean[0] for mean in means]
        out[f"{key}.change"] = float(np.mean(change))
        out[f"{key}.highest"] = float(np.mean([max(mean) for mean in means]))
        out[f"{key}.lowest"] = float(np.mean([min(mean) for mean in means]))
        _effect(out, f"{key}.better", average, returns)
        _effect(out, f"{key}.late", average, times)
        _effect(out, f"{key}.change_better", change, returns)
    _effect(out, "team.base_return.late", returns, times)
    happened = [
        any(
            max(s["to"][i][0] for i in agents if s["alive"][i]) > limit
            for s in _steps(story.episode)
        )
        for story in stories
    ]
    out["condition.high.rate"] = float(np.mean(happened))
    _effect(out, "condition.high.better", [float(h) for h in happened], returns)
    _crowding(out, layout, steps)
    return out


def _steps(episode: Episode) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for t in range(episode.length):
        found.append(
            {
                "from": episode.rows[t],
                "to": episode.rows[t + 1],
                "action": episode.actions[t],
                "alive": episode.alive[t + 1],
                "before": found[-1] if found else None,
            }
        )
    return found


def _same(one: Any, other: Any, columns: list[int]) -> bool:
    return all(one[column] == other[column] for column in columns)


def _share(episode: Episode, i: int, d: int, choice: int) -> float:
    taken = [s["action"][i][d] for s in _steps(episode) if s["alive"][i]]
    return sum(bool(action == choice) for action in taken) / max(len(taken), 1)


def _means(episode: Episode, f: int) -> list[float]:
    return [
        float(np.mean([row[i][f] for i in range(len(row)) if alive[i]]))
        for row, alive in zip(episode.rows, episode.alive, strict=True)
    ]


def _cells(layout: Layout, stories: list[Story], i: int) -> set[Any]:
    found = set()
    for number, story in enumerate(stories):
        for row, alive in zip(story.episode.rows, story.episode.alive, strict=True):
            if alive[i]:
                cell = tuple(
                    math.floor((row[i][column] - low) / width + 1e-9)
                    for column, low, width in layout.cells
                )
                found.add((number, cell))
    return found


def _crowding(
    out: dict[str, float], layout: Layout, steps: list[dict[str, Any]]
) -> None:
    counted = crowded = 0
    toward: list[Counter[int]] = [Counter() for _ in layout.agents]
    for step in steps:
        nearest = []
        for i in range(len(layout.agents)):
            if not step["alive"][i]:
                continue
            row = step["to"][i]
            there = {
                k: row[column]
                for k, (column, left) in enumerate(layout.targets)
                if left < 0 or row[left] > 0.0
            }
            if len(there) >= 2:
                target = min(there, key=lambda k: there[k])
                nearest.append(target)
                toward[i][target] += 1
        if len(nearest) >= 2:
            counted += 1
            crowded += len(set(nearest)) < len(nearest)
    if counted:
        out["team.target.crowding"] = crowded / counted
        shares = [
            {k: n / sum(counts.values()) for k, n in counts.items()}
            for counts in toward
            if counts
        ]
        mixed: dict[int, float] = defaultdict(float)
        for share in shares:
            for k, part in share.items():
                mixed[k] += part / len(shares)
        inside = sum(_entropy(share) for share in shares) / len(shares)
        out["team.target.specialisation"] = (
            (_entropy(mixed) - inside) / math.log(len(shares))
            if len(shares) > 1
            else 0.0
        )


def _entropy(counts: Any) -> float:
    total = sum(counts.values())
    parts = [n / total for n in counts.values() if n] if total else []
    return -float(sum(part * math.log(part) for part in parts))


def _effect(
    out: dict[str, float], key: str, one: list[float], other: list[float]
) -> None:
    if len(one) < 4 or np.std(one) < 1e-9 or np.std(other) < 1e-9:
        return
    r = float(np.clip(np.corrcoef(one, other)[0, 1], -0.995, 0.995))
    out[key] = 2.0 * r / math.sqrt(1.0 - r * r)
