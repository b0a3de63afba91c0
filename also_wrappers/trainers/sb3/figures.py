"""Records figures of the adaptation with the logger of an SB3 model."""

from __future__ import annotations

from stable_baselines3.common.logger import Logger

from also_wrappers.ledger.events import (
    Decided,
    Event,
    Recorded,
    RolledBack,
    RoundFinished,
    Settled,
    Swapped,
)

__all__ = ["LoggedFigures"]


class LoggedFigures:
    """Holds the latest figures of an adaptation, and records them with SB3's logger.

    An instance is a listener of a ledger. Returns are means over the episodes that
    ended since the last pause; other figures are counted since the run began:
    ``also/base_return``, ``also/shaped_return``, ``also/episode_length``;
    ``also/steps_<what>`` in trainer steps (total, mainline, branches, evaluation);
    ``also/rounds``, ``also/swaps`` and ``also/rollbacks``, and ``also/confirmed``,
    ``also/given_up`` and ``also/open`` of signals that were swapped in as provisional;
    of the latest decision ``also/decision_swapped``, ``also/decision_effect`` and
    ``also/decision_z``.

    Attributes:
        latest: The figures by name; a name appears with the first event that has it.

    Example:
        >>> from stable_baselines3.common.logger import Logger
        >>> figures, logger = LoggedFigures(), Logger(folder=None, output_formats=[])
        >>> figures.latest["also/rounds"] = 2.0
        >>> figures.record(logger)
        >>> logger.name_to_value["also/rounds"]
        2.0
    """

    def __init__(self) -> None:
        self.latest: dict[str, float] = {}
        self._fresh = False

    def __call__(self, event: Event) -> None:
        """Updates the figures by one event of the ledger."""
        self._fresh = True
        for name, steps in event.trainer_steps:
            self._put(f"steps_{name}", steps)
        match event:
            case Recorded():
                self._put("base_return", event.window.mean)
                self._put("shaped_return", event.shaped)
                self._put("episode_length", event.length)
            case Decided():
                self._put("decision_swapped", float(event.winner is not None))
                self._decision(event)
            case Settled():
                self._count(event.kind)
                self._decision(event)
            case Swapped():
                self._count("swaps")
            case RolledBack():
                self._count("rollbacks")
            case RoundFinished():
                self._count("rounds")

    def record(self, logger: Logger) -> None:
        """Records all figures, unless they already wait for the logger's dump."""
        waiting = logger.name_to_value
        if self._fresh or (self.latest and next(iter(self.latest)) not in waiting):
            self._fresh = False
            for name, value in self.latest.items():
                logger.record(name, value)

    def _decision(self, event: Decided | Settled) -> None:
        for name, number in (("effect", event.effect), ("z", event.z)):
            if number is not None:
                self._put(f"decision_{name}", number)

    def _put(self, name: str, value: float) -> None:
        self.latest[f"also/{name}"] = float(value)

    def _count(self, name: str) -> None:
        self._put(name, self.latest.get(f"also/{name}", 0.0) + 1.0)
