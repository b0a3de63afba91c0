"""How to train with the signal that a run has found."""

from __future__ import annotations

from pathlib import Path

from also_wrappers.signal.model import Signal

__all__ = ["usage_of"]


def usage_of(signal: Signal, run_dir: Path) -> str:
    """Returns lines of Python that train with the signal of a run.

    Args:
        signal: The signal.
        run_dir: The run's directory.
    """
    given = "signal=signal"
    if signal.fade is not None:
        given = "signal=signal.with_terms(signal.terms)"
    if signal.expert is not None:
        given += ", actions=actions"
    lines = [
        "import also_wrappers as also",
        f"signal = also.Signal.from_run({str(run_dir)!r})",
        f"env = also.wrap(env, features, {given})",
    ]
    if signal.fade is not None:
        lines[-1] += "  # does not fade; give fade=also.Fade(begin=..., end=...)"
    if signal.expert is not None:
        lines.append("model.learn(total, callback=also.ImitationCallback())")
    return "\n".join(lines)
