"""Draws base return over all environment steps of runs of the demo, as an SVG.

    for seed in 0 1 2 3 4; do also-wrappers demo --seed $seed --run-dir runs/$seed; done
    python tests/benchmarks/demo_curves.py runs/? --out curves.svg

Each run is a line: adapted, with branches, auditions and rehearsal counted, and on
the base reward alone, which the demo trains beside it for as many steps.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

from also_wrappers.files import write_atomic
from also_wrappers.ledger.events import Recorded
from also_wrappers.ledger.ledger import read_ledger
from also_wrappers.report.pictures import new_figure

#: Readable on a light and on a dark page.
_INK, _ADAPTED, _ALONE = "#7d8590", "#2f81f7", "#d29922"
#: Environment steps over which a line is averaged.
_WINDOW = 8192


def curve(run_dir: Path) -> Iterator[tuple[float, float]]:
    """Yields total environment steps and mean base return of stretches of a run."""
    begin, weight, total = 0, 0, 0.0
    for event in read_ledger(run_dir / "ledger.jsonl"):
        if not isinstance(event, Recorded):
            continue
        weight += event.window.episodes
        total += event.window.episodes * event.window.mean
        steps = event.env_steps.total
        if steps - begin >= _WINDOW:
            yield steps, total / weight
            begin, weight, total = steps, 0, 0.0


def draw(run_dirs: list[Path]) -> bytes:
    """Draws the curves of runs of the demo, as an SVG."""
    figure, axes = new_figure(7.2, 2.9)
    for name, color, folders in (
        ("adapted, branches included", _ADAPTED, run_dirs),
        ("base reward alone", _ALONE, [run / "base_only" for run in run_dirs]),
    ):
        for run_dir in folders:
            steps, means = zip(*curve(run_dir), strict=True)
            axes.plot(steps, means, color=color, linewidth=1.4, label=name)
            name = "_"  # one entry in the legend
    axes.set_xlim(left=0)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("environment steps in all", color=_INK)
    axes.set_ylabel("base return in training", color=_INK)
    axes.xaxis.set_major_formatter(lambda steps, _: f"{steps:,.0f}")
    axes.tick_params(colors=_INK)
    for side in axes.spines.values():
        side.set_color(_INK)
    axes.grid(color=_INK, alpha=0.2)
    axes.legend(loc="center right", framealpha=0.0, labelcolor=_INK)
    figure.patch.set_alpha(0.0)
    axes.patch.set_alpha(0.0)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def main() -> None:
    """Draws what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="directories of the demo")
    parser.add_argument("--out", type=Path, required=True, help="the SVG to write")
    arguments = parser.parse_args()
    write_atomic(arguments.out, draw(arguments.runs))


if __name__ == "__main__":
    main()
