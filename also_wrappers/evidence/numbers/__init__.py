"""The numbers of evidence: a file for each family of them.

A file holds all there is to say of a family's numbers: which accumulators they need, how
a block of episodes is added to those, which keys come of them with which value or why
there is none, and what each key means. To add a family, write its file and name it in
``FAMILIES``.
"""

from also_wrappers.evidence.numbers.actions import Actions
from also_wrappers.evidence.numbers.conditions import Conditions
from also_wrappers.evidence.numbers.counts import Counts
from also_wrappers.evidence.numbers.coverage import Coverage
from also_wrappers.evidence.numbers.detail import Detail
from also_wrappers.evidence.numbers.family import Family, Meaning
from also_wrappers.evidence.numbers.features import Features
from also_wrappers.evidence.numbers.likeness import Likeness
from also_wrappers.evidence.numbers.movement import Movement
from also_wrappers.evidence.numbers.outcomes import Outcomes
from also_wrappers.evidence.numbers.shaping import Shaping
from also_wrappers.evidence.numbers.stationarity import Stationarity
from also_wrappers.evidence.numbers.targets import Targets
from also_wrappers.evidence.numbers.terms import Terms

__all__ = ["FAMILIES", "MEANINGS", "SCALARS", "Family", "Meaning"]

#: All families, in the order in which evidence shows them.
FAMILIES: tuple[Family, ...] = (
    Counts(),
    Detail(),
    Outcomes(),
    Shaping(),
    Movement(),
    Likeness(),
    Coverage(),
    Actions(),
    Targets(),
    Features(),
    Conditions(),
    Terms(),
    Stationarity(),
)

#: Accumulators that are single numbers, which are the same of every scope.
SCALARS = tuple(name for family in FAMILIES for name in family.scalars)

#: What the keys of evidence mean, by pattern; see ``Family.meanings``.
MEANINGS: dict[str, Meaning] = {
    pattern: meaning
    for family in FAMILIES
    for pattern, meaning in family.meanings.items()
}
