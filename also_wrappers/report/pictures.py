"""Pictures of evidence, for TensorBoard and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from also_wrappers.evidence.document import Evidence
from also_wrappers.exceptions import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["new_figure", "plot_evidence"]

#: Features that are shown, those that tell most first.
_MOST = 10
_BLUE, _ORANGE, _GREY = "tab:blue", "tab:orange", "0.7"


def plot_evidence(evidence: Evidence, before: Evidence | None = None) -> Figure:
    """Draws the evidence of one window, and how it changed since another one.

    Four panels: what differs between better and worse episodes, and between late and
    early ones (bars with two standard errors, in standard deviations); how often each
    agent takes each action; how the team's numbers changed since ``before``, or what
    they are; and a map of the states that were visited.

    Args:
        evidence: The evidence of the window.
        before: That of an earlier window, such as the one before the last pause.

    Returns:
        A matplotlib figure; ``savefig`` writes it as SVG, PNG, ...

    Raises:
        ConfigurationError: matplotlib is not installed.

    Example:
        >>> figure = plot_evidence(Evidence(values={"team.episodes": 40.0}))
        >>> len(figure.axes)
        4
    """
    figure, axes = new_figure(10.0, 7.0, 2, 2)
    _effects(axes[0][0], evidence)
    _actions(axes[0][1], evidence, before)
    _team(axes[1][0], evidence, before)
    _map(axes[1][1], evidence)
    return figure


def _effects(axes: Axes, evidence: Evidence) -> None:
    """Draws the features that differ most between episodes."""
    values = evidence.values
    names = [name for name in evidence.features if f"feature.{name}.better" in values]
    names += [
        name
        for name in evidence.features
        if f"feature.{name}.late" in values and name not in names
    ]
    if not names:
        why = evidence.unavailable.values()
        equal = "all returns are equal" if "all returns are equal" in why else ""
        _nothing(axes, "better - worse, late - early episodes", equal)
        return

    def size(name: str) -> float:
        return max(
            abs(values.get(f"feature.{name}.{what}", 0.0))
            for what in ("better", "late")
        )

    names = sorted(names, key=size, reverse=True)[:_MOST][::-1]
    error = 2.0 * (4.0 / max(evidence.episodes_of("feature.*"), 1.0)) ** 0.5
    for shift, what, color in ((0.2, "better", _BLUE), (-0.2, "late", _ORANGE)):
        axes.barh(
            [place + shift for place in range(len(names))],
            [values.get(f"feature.{name}.{what}", 0.0) for name in names],
            0.36,
            color=color,
            xerr=error,
            ecolor="0.5",
            label={"better": "better - worse", "late": "late - early"}[what],
        )
    axes.set_yticks(range(len(names)), names)
    axes.axvline(0.0, color="0.4", linewidth=0.8)
    axes.set_title("features: difference between episodes")
    axes.set_xlabel("standard deviations (bars: 2 standard errors)")
    axes.legend(loc="best", fontsize="small")


def _actions(axes: Axes, evidence: Evidence, before: Evidence | None) -> None:
    """Draws the share of each action, a row for every agent and window."""
    rows: list[tuple[str, dict[str, float]]] = []
    for agent in evidence.agents:
        for when, window in (("", evidence), (" before", before)):
            if window is None:
                continue
            shares = {
                key.split(".")[2]: value
                for key, value in window.values.items()
                if key.startswith(f"{agent}.action.") and key.endswith(".share")
            }
            if shares:
                rows.append((f"{agent}{when}", shares))
    if not rows:
        _nothing(axes, "actions", "no discrete actions with few choices")
        return
    choices = list(rows[0][1])
    for place, (_, shares) in enumerate(reversed(rows)):
        left = 0.0
        for k, choice in enumerate(choices):
            share = shares.get(choice, 0.0)
            axes.barh(place, share, left=left, color=f"C{k % 10}", edgecolor="white")
            if share > 0.06:
                axes.text(left + share / 2.0, place, choice, ha="center", va="center")
            left += share
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    axes.set_xlim(0.0, 1.0)
    axes.set_title("share of each action")


def _team(axes: Axes, evidence: Evidence, before: Evidence | None) -> None:
    """Draws shares of the team and the agents, with where they were before."""
    keys = [
        key
        for key in evidence.values
        if (
            key.endswith(("_rate", "_share", "crowding", "coverage", "redundancy"))
            and not key.startswith("condition.")
        )
        or key.endswith((".specialisation", ".expert.distance"))
        or (key.startswith("condition.") and key.endswith(".rate"))
    ]
    if not keys:
        _nothing(axes, "team", "")
        return
    keys = keys[::-1]
    places = range(len(keys))
    axes.barh(places, [evidence.values[key] for key in keys], 0.7, color=_GREY)
    if before is not None:
        marks = [
            (before.values[key], k)
            for k, key in enumerate(keys)
            if key in before.values
        ]
        axes.plot(
            [value for value, _ in marks],
            [k for _, k in marks],
            "|",
            color="k",
            markersize=9,
            label="before",
        )
        axes.legend(loc="lower right", fontsize="small")
    axes.set_yticks(places, keys, fontsize="x-small")
    axes.set_title("shares and rates")
    axes.set_xlim(0.0, 1.0)


def _map(axes: Axes, evidence: Evidence) -> None:
    """Draws how often each bin of two features was visited."""
    if not evidence.visits:
        _nothing(axes, "visited states", "fewer than two features declare a range")
        return
    first, second = evidence.visits_of
    total = max(sum(map(sum, evidence.visits)), 1.0)
    shares = [[count / total for count in row] for row in evidence.visits]
    columns = [list(column) for column in zip(*shares, strict=True)]
    image = axes.imshow(columns, origin="lower", cmap="Blues", extent=(0, 1, 0, 1))
    axes.figure.colorbar(image, ax=axes, label="share of visits")
    axes.set_xlabel(f"{first}, share of its range")
    axes.set_ylabel(f"{second}, share of its range")
    axes.set_title("visited states")


def _nothing(axes: Axes, title: str, why: str) -> None:
    """Says in place of a picture why there is none."""
    axes.set_title(title)
    axes.set_axis_off()
    axes.text(0.5, 0.5, why or "nothing to show", ha="center", va="center", color="0.5")


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, Any]:
    """Makes a figure and its axes, without pyplot.

    Args:
        width: Width in inches.
        height: Height in inches.
        rows: Rows of axes.
        columns: Columns of axes.

    Returns:
        The figure, and its axes: one, or an array of them.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError(
            "matplotlib is not installed; install also-wrappers[sb3]"
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns)
    for one in axes.flat if rows * columns > 1 else [axes]:
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes
