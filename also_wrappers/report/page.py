"""The report: one self-contained page, made from the ledger alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.meanings import explain
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import write_atomic
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.rendering import render
from also_wrappers.report.pictures import new_figure, plot_evidence, svg

__all__ = ["plot_evidence", "write_report"]


def write_report(run_dir: Path) -> Path:
    """Writes ``report.html`` into a run's directory.

    Args:
        run_dir: The run's directory.

    Returns:
        Path of the page.

    Raises:
        ConfigurationError: There is no run in the directory.
    """
    run_dir = Path(run_dir)
    events = list(read_ledger(run_dir / "ledger.jsonl"))
    if not events:
        raise ConfigurationError(f"{run_dir} holds no run (no ledger.jsonl)")
    result_path = run_dir / "result.json"
    page = render(
        "report.html.j2",
        name=run_dir.name,
        started=next((e for e in events if e["event"] == "run_started"), {}),
        last=events[-1],
        result=json.loads(result_path.read_text()) if result_path.exists() else None,
        curve=_curve(events, _base_only(run_dir, events)),
        rounds=_rounds(events),
        meanings=_Meanings(),
        models=_models(events),
        finished=any(e["event"] == "run_finished" for e in events),
    )
    path = run_dir / "report.html"
    write_atomic(path, page.encode())
    return path


def _models(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each language model was asked, and how much of what it claims is so."""
    models: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] != "exchange":
            continue
        new = {"name": event["model"], "calls": 0, "unusable": 0, "claims": 0}
        model = models.setdefault(event["model"], new | {"grounded": 0, "seconds": 0.0})
        model["calls"] += 1
        model["unusable"] += bool(event["problem"])
        for key in ("claims", "grounded", "seconds"):
            model[key] += event[key]
    return list(models.values())


class _Meanings:
    """What a key means, by key."""

    def __getitem__(self, key: str) -> str:
        return "".join(explain([key]).values())


def _rounds(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each round saw, proposed, measured and decided, in the order of rounds.

    A round that was interrupted and played again shows its last playing.
    """
    rounds: dict[int, dict[str, Any]] = {}
    for event in events:
        number = event.get("round")
        kind = event["event"]
        if number is None:
            continue
        if kind == "round_started":
            rounds[number] = {"number": number, "started": event, "arms": {}}
            rounds[number] |= {"errors": [], "refused": []}
        entry = rounds.get(number)
        if entry is None:
            continue
        if kind in ("evidence", "diagnosis", "decision", "swap", "round_finished"):
            entry[kind] = event
        elif kind == "advisor_error":
            entry["errors"].append(event)
        elif kind == "check" and event["name"]:
            arm = {"check": event, "branches": [], "became": ""}
            entry["arms"][event["name"]] = arm
        elif kind == "check":
            entry["refused"].append(event)
        elif kind == "branch":
            arm = entry["arms"].setdefault(
                event["name"], {"branches": [], "became": ""}
            )
            arm["branches"].append(event)
    before = None
    for entry in rounds.values():
        if "evidence" in entry:
            seen = Evidence.model_validate(entry["evidence"]["evidence"])
            entry["seen"] = seen
            entry["behaviour"] = svg(plot_evidence(seen, before))
            before = seen
        entry["arms"] = dict(sorted(entry["arms"].items(), key=_place))
        if "decision" in entry:
            became = entry["decision"]["outcome"]["arms"]
            for about, outcome in zip(
                list(entry["arms"].values())[1:], became, strict=False
            ):
                about["became"] = outcome["hypothesis"]
        entry["picture"] = _arms(entry) if entry["arms"] else ""
    return list(rounds.values())


def _place(item: tuple[str, Any]) -> int:
    """Control first, then the candidates as they were numbered."""
    number = item[0].rpartition("_")[2]
    return int(number) if number.isdigit() else 0


def _base_only(
    run_dir: Path, events: Sequence[dict[str, Any]]
) -> list[tuple[float, float]]:
    """The curve of training on base reward alone, in environment steps."""
    path = run_dir / "base_only" / "curve.jsonl"
    if not path.exists():
        return []
    agents = max(
        events[-1]["trainer_steps"]["total"]
        // max(events[-1]["env_steps"]["total"], 1),
        1,
    )
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["trainer_steps"] / agents, line["mean"]) for line in lines]


def _curve(
    events: Sequence[dict[str, Any]], base_only: list[tuple[float, float]]
) -> str:
    """Base return over total environment steps, branches included, swaps marked."""
    figure, axes = new_figure(8.0, 3.4)
    if base_only:
        axes.plot(*zip(*base_only, strict=True), color="0.6", label="base reward alone")
    stretches: list[list[dict[str, Any]]] = [[]]
    for event in events:
        if event["event"] == "record":
            stretches[-1].append(event)
        elif event["event"] == "round_started":
            stretches.append([])  # nothing is known of the mainline during a round
    label = "adapted (mainline)"
    for stretch in filter(None, stretches):
        total = [event["env_steps"]["total"] for event in stretch]
        windows = [event["window"] for event in stretch]
        mean = [window["mean"] for window in windows]
        error = [2.0 * w["std"] / max(w["episodes"], 1) ** 0.5 for w in windows]
        axes.plot(total, mean, ".-", color="tab:blue", label=label)
        low = [m - e for m, e in zip(mean, error, strict=True)]
        high = [m + e for m, e in zip(mean, error, strict=True)]
        axes.fill_between(total, low, high, color="tab:blue", alpha=0.2, linewidth=0)
        label = "_"
    starts = {e["round"]: e for e in events if e["event"] == "round_started"}
    for event in events:
        if event["event"] == "round_finished" and event["round"] in starts:
            began = starts[event["round"]]["env_steps"]["total"]
            axes.axvspan(
                began, event["env_steps"]["total"], color="tab:orange", alpha=0.08
            )
        elif event["event"] == "swap":
            axes.axvline(event["env_steps"]["total"], color="tab:green", linestyle="--")
            axes.annotate(
                " swap",
                (event["env_steps"]["total"], 1.0),
                xycoords=("data", "axes fraction"),
                va="top",
                color="tab:green",
            )
    axes.set_xlabel("total environment steps, branches included")
    axes.set_ylabel("base return per episode")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", framealpha=0.9)
    return svg(figure)


def _arms(entry: dict[str, Any]) -> str:
    """Scores of all branches of a round, one row per arm."""
    names = list(entry["arms"])
    figure, axes = new_figure(8.0, 0.5 + 0.32 * len(names))
    for row, name in enumerate(reversed(names)):
        for stage, marker in (("screen", "o"), ("confirm", "x")):
            scores = [
                branch["score"]
                for branch in entry["arms"][name]["branches"]
                if branch["stage"] == stage and not branch["error"]
            ]
            axes.plot(
                scores,
                [row] * len(scores),
                marker,
                color="0.4" if name == "control" else "tab:blue",
                alpha=0.8,
            )
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel("base return of a branch (o screening, x confirmation)")
    axes.grid(axis="x", alpha=0.3)
    return svg(figure)
