"""What a learning signal is: terms, and a set of them. Data, never code."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from also_wrappers.signal.kinds import KindName

__all__ = ["MAX_TERMS", "Fade", "Signal", "Term"]

#: A signal is read by people and by small models: more terms help neither.
MAX_TERMS = 8


class Term(BaseModel):
    """One shaping expression over features, with a kind and a weight.

    A term adds ``weight`` times a payment to the base reward of each step. The kind
    says how the payment is made from the value of the expression: see
    ``also_wrappers.signal.kinds.KINDS``.

    Attributes:
        name: A short identifier, unique in the signal.
        kind: How the value is paid; a name in ``KINDS``.
        expression: A text in the term language.
        weight: Factor of what is added; finite, at most 100 in size.
        agents: Names of the agents that are paid; ``None`` means all.
        bound: The value of the expression is clipped to ``[-bound, bound]``. Clipping
            the value and not the change of it keeps the sum over an episode
            telescoping.
        rationale: Why, in words; never interpreted.

    Example:
        >>> Term(name="near", kind="progress", expression="-distance", weight=0.5).kind
        'progress'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    kind: KindName
    expression: Annotated[str, Field(min_length=1, max_length=600)]
    weight: Annotated[float, Field(ge=-100.0, le=100.0)]
    agents: tuple[str, ...] | None = None
    bound: Annotated[float, Field(gt=0.0, le=1e6)] = 10.0
    rationale: Annotated[str, Field(max_length=1000)] = ""


class Signal(BaseModel):
    """A set of terms: what is added to the base reward.

    A signal is the treatment that an arm tests: what a proposal proposes, a branch is
    trained with, the board posts and the history remembers. The empty signal changes
    nothing, bit for bit.

    Attributes:
        terms: The terms, whose payments are added up.
        fade: Share of the planned training in which its strength goes to zero, from
            when it is swapped in; ``None`` if it stays. For signals of a run: one that
            is given to a wrapper fades by the wrapper's own option.

    Example:
        >>> Signal().id, Signal().empty
        ('none', True)
        >>> near = Term(name="near", kind="bonus", expression="1 - d", weight=0.1)
        >>> Signal(terms=(near,)).describe()
        '0.1 * bonus[1 - d]'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: Annotated[tuple[Term, ...], Field(max_length=MAX_TERMS)] = ()
    fade: Annotated[float, Field(gt=0.0, le=1.0)] | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Signal:
        names = [term.name for term in self.terms]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"term names must be unique; repeated: {repeated}")
        return self

    @property
    def empty(self) -> bool:
        """True where the signal changes nothing."""
        return not self.terms

    @property
    def id(self) -> str:
        """A short stable name, made of what the signal does and not of its prose."""
        return _identify(self.terms, self.fade)

    def describe(self) -> str:
        """Returns the signal in one line of text."""
        if self.empty:
            return "nothing (the base reward alone)"
        terms = " + ".join(
            f"{term.weight:g} * {term.kind}[{term.expression}]"
            + (f" for {', '.join(term.agents)}" if term.agents else "")
            for term in self.terms
        )
        if self.fade is None:
            return terms
        return f"{terms}, fading out within {self.fade:.0%} of the training"


@lru_cache(maxsize=4096)
def _identify(terms: tuple[Term, ...], fade: float | None) -> str:
    if not terms:
        return "none"
    parts = [term.model_dump_json(exclude={"rationale"}) for term in terms]
    parts += [] if fade is None else [f"fade {fade!r}"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]


class Fade(BaseModel):
    """How the strength of a signal goes to zero: linearly, from one step to another.

    An environment's episode has one strength throughout, fixed when it is reset, so
    that potentials stay exact (and the optimal policy stays the optimal one:
    Devlin & Kudenko 2012).

    Attributes:
        begin: Steps after which the strength begins to fall from 1.
        end: Steps after which it is 0.

    Example:
        >>> fade = Fade(begin=1000, end=2000)
        >>> [fade.strength(steps) for steps in (0, 1000, 1250, 3000)]
        [1.0, 1.0, 0.75, 0.0]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    begin: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Fade:
        if self.begin >= self.end:
            raise ValueError(f"begin ({self.begin}) must be before end ({self.end})")
        return self

    def strength(self, steps: int) -> float:
        """Returns the strength after a number of steps, from 1.0 down to 0.0."""
        share = (self.end - steps) / (self.end - self.begin)
        return min(max(share, 0.0), 1.0)
