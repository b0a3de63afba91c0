"""``Family``: numbers that belong together, from accumulators to meanings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

from also_wrappers.evidence.accumulators import Accumulator, Accumulators
from also_wrappers.evidence.scope import Scope
from also_wrappers.evidence.steps import Steps
from also_wrappers.evidence.sums import Sums

__all__ = ["DEVIATIONS", "Family", "Meaning", "Number"]

#: The unit of an effect.
DEVIATIONS = "standard deviations"

#: A key of evidence with its number, or with the reason why it has none.
Number = tuple[str, float | str]


class Meaning(NamedTuple):
    """What a number is.

    Attributes:
        unit: Of the number.
        text: One line.
    """

    unit: str
    text: str


class Family:
    """Numbers that belong together: what is added up, and which keys come of it.

    A family overrides what it has. Evidence shows the numbers of all families about
    whole episodes first, then about one agent after the other, about the team, and
    about what has a name of its own, such as a feature.

    Attributes:
        scalars: Names of the accumulators that are single numbers, and sums.
        in_detail: True if the family is of the episodes that are recorded in detail,
            False if it is of all.
        meanings: What the keys mean, by pattern. ``*`` stands for the name of an agent,
            feature, condition or term, and a component of an action that has several is
            counted in the key: ``action_0``.
    """

    scalars: ClassVar[tuple[str, ...]] = ()
    in_detail: ClassVar[bool] = False
    meanings: ClassVar[Mapping[str, Meaning]]

    def arrays(self, scope: Scope) -> dict[str, Accumulator]:
        """Returns the accumulators that are arrays, by name.

        Args:
            scope: Names and sizes of what is recorded.
        """
        return {}

    def add(self, steps: Steps, totals: Accumulators) -> None:
        """Adds a block of episodes to the family's accumulators, in place.

        Args:
            steps: The steps of at least one episode.
            totals: The accumulators.
        """

    def of_episodes(self, sums: Sums) -> Iterable[Number]:
        """Returns what whole episodes show of the team and its signal.

        Args:
            sums: The sums of a window with at least one episode, as in all that follow.
        """
        return ()

    def of_agent(self, sums: Sums, i: int) -> Iterable[Number]:
        """Returns what one agent does.

        Args:
            sums: The sums of a window.
            i: Place of the agent in the team.
        """
        return ()

    def of_team(self, sums: Sums) -> Iterable[Number]:
        """Returns what two agents or more do together.

        Args:
            sums: The sums of a window.
        """
        return ()

    def of_names(self, sums: Sums) -> Iterable[Number]:
        """Returns what features, conditions, terms and the like show, by their names.

        Args:
            sums: The sums of a window.
        """
        return ()
