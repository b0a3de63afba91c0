"""Declares signals as data, never code: terms, rules and an expert."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from textwrap import shorten
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import read_json
from also_wrappers.signal.kinds import KindName
from also_wrappers.signal.notebook import signal_html

__all__ = [
    "MAX_DEFINITIONS",
    "MAX_RULES",
    "MAX_TERMS",
    "Expert",
    "Fade",
    "Rule",
    "Signal",
    "Term",
]

#: The most terms of a signal, which people and small models have to read.
MAX_TERMS = 8
MAX_DEFINITIONS = 8
MAX_RULES = 24

_Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
_Long = Annotated[str, Field(min_length=1, max_length=1000)]


class Term(BaseModel):
    """One shaping expression over features, with a kind and a weight.

    A term adds ``weight`` times a payment to the base reward of each step. The kind
    says how the payment is made from the value of the expression: see
    ``also_wrappers.signal.kinds.KINDS``.

    Attributes:
        name: A short identifier, unique in the signal.
        kind: Name in ``KINDS`` of how the value is paid.
        expression: A text in the term language.
        weight: Factor of what is added; finite, at most 100 in size.
        agents: Names of the agents that are paid; ``None`` means all.
        bound: The value of the expression is clipped to ``[-bound, bound]``. Clipping
            the value and not the change of it keeps the sum over an episode
            telescoping.
        rationale: Why the term should help, in words; never interpreted.

    Example:
        >>> Term(name="near", kind="progress", expression="-distance", weight=0.5).kind
        'progress'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    kind: KindName
    expression: Annotated[str, Field(min_length=1, max_length=600)]
    weight: Annotated[float, Field(ge=-100.0, le=100.0)]
    agents: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    bound: Annotated[float, Field(gt=0.0, le=1e6)] = 10.0
    rationale: Annotated[str, Field(max_length=1000)] = ""


class Rule(BaseModel):
    """Says which actions are good where a condition holds.

    Attributes:
        when: A text in the term language, over features of the state. The rule holds
            where its value is above 0.5.
        do: The good actions there, as one of ``Actions.says``: the name of an action,
            or ``toward`` and a place.
        agents: Names of the agents that the rule is for; ``None`` means all.

    Example:
        >>> Rule(when="food_distance < 0.01", do="load").describe()
        'load when food_distance < 0.01'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: _Long
    do: Annotated[str, Field(min_length=1, max_length=90)]
    agents: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    def describe(self) -> str:
        """Returns the rule in one line of text."""
        whose = f" for {', '.join(self.agents)}" if self.agents else ""
        return f"{self.do} when {self.when}{whose}"


class Expert(BaseModel):
    """Says by ordered rules which actions are good in a state.

    For every agent, at every step, the first rule that holds and has a good action
    counts. Where there is no such rule, the expert is silent.

    A policy imitates an expert on the states that the policy itself visits, as in
    kickstarting (Schmitt et al. 2018) and DAgger (Ross et al. 2011).

    Attributes:
        rules: The rules, in the order in which they are asked.
        pull: Weight of the imitation beside the trainer's own loss.
        rationale: Why the expert should help, in words; never interpreted.

    Example:
        >>> stay = Rule(when="gap < 1", do="stay")
        >>> Expert(rules=(stay, Rule(when="1", do="toward goal"))).describe()
        'stay when gap < 1; else toward goal when 1'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=MAX_RULES)]
    pull: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    rationale: Annotated[str, Field(max_length=1000)] = ""

    def describe(self) -> str:
        """Returns the expert in one line of text."""
        return "; else ".join(rule.describe() for rule in self.rules)


class Signal(BaseModel):
    """Holds what an agent learns from besides the base reward: terms, an expert.

    Terms say what states are worth and are added to the base reward; an expert says
    which actions are good and changes no reward. A signal is the treatment that an arm
    tests: what a proposal proposes, a branch is trained with, the board posts and the
    history remembers. The empty signal changes nothing, bit for bit.

    Attributes:
        terms: The terms, whose payments are added up.
        fade: Share of the planned training in which the signal's strength goes to zero,
            counted from the swap; ``None`` if the strength stays. Only signals of a run
            fade so: a signal that is given to a wrapper fades by the wrapper's option.
        define: Expressions by name, which terms and rules use like features. A
            definition reads features of the state, and earlier definitions.
        expert: The expert, if there is one.

    Example:
        >>> Signal().id, Signal().empty
        ('none', True)
        >>> near = Term(name="near", kind="bonus", expression="1 - d", weight=0.1)
        >>> Signal(terms=(near,)).describe()
        '0.1 * bonus[1 - d]'
        >>> go = Expert(rules=(Rule(when="far > 0.5", do="toward goal"),))
        >>> Signal(define={"far": "d > 2"}, expert=go).describe()
        'an expert: toward goal when far > 0.5, with far = d > 2'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: Annotated[tuple[Term, ...], Field(max_length=MAX_TERMS)] = ()
    fade: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    define: Annotated[dict[_Name, _Long], Field(max_length=MAX_DEFINITIONS)] = {}
    expert: Expert | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Signal:
        names = [term.name for term in self.terms]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"term names must be unique; repeated: {repeated}")
        return self

    def __hash__(self) -> int:
        """Hashes the signal's id, as its mapping of definitions has no hash."""
        return hash(self.id)

    def __repr__(self) -> str:
        """Returns the signal's id and a description, in one line."""
        return f"<Signal {self.id}: {shorten(self.describe(), 200)}>"

    def _repr_html_(self) -> str:
        """Returns HTML tables of the terms and rules, for notebooks."""
        return signal_html(self)

    @classmethod
    def from_run(cls, run_dir: str | Path) -> Signal:
        """Returns the signal that a run has found: the last that was active.

        Args:
            run_dir: The run's directory; the run may go on meanwhile.

        Raises:
            ConfigurationError: There is no run in the directory, or the run has found
                no signal, or its ``schedule.json`` cannot be read.

        Example:
            >>> import json, tempfile
            >>> near = Term(name="near", kind="bonus", expression="1 - d", weight=0.1)
            >>> swap = {"signal": Signal(terms=(near,)).model_dump(mode="json")}
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = Path(folder) / "schedule.json"
            ...     _ = path.write_text(json.dumps([swap]))
            ...     print(Signal.from_run(folder).describe())
            0.1 * bonus[1 - d]
        """
        path = Path(run_dir) / "schedule.json"
        begun = (path.parent / "ledger.jsonl").exists()
        if not path.exists() and not begun:
            raise ConfigurationError(
                f"{run_dir} holds no run; give the directory that a Run recorded into"
            )
        swaps = read_json(path) if path.exists() else []
        try:
            signal = cls.model_validate(swaps[-1]["signal"]) if swaps else cls()
        except (LookupError, TypeError, ValueError):
            raise ConfigurationError(
                f"{path} holds no swaps of a run of this version; bring back the file "
                "that the run wrote"
            ) from None
        if signal.empty:
            raise ConfigurationError(
                f"the run in {run_dir} has found no signal, its policy learns from the "
                "base reward alone; give a run with a swap that stayed"
            )
        return signal

    @property
    def empty(self) -> bool:
        """True where the signal has neither terms nor an expert."""
        return not self.terms and self.expert is None

    @property
    def id(self) -> str:
        """A short stable name, made of what the signal does and not of its prose."""
        return _identify(self.terms, self.fade, tuple(self.define.items()), self.expert)

    def with_terms(self, terms: tuple[Term, ...]) -> Signal:
        """Returns a signal with other terms, the same expert, and no fade.

        Definitions and the expert stay.

        Args:
            terms: The terms.
        """
        return Signal(terms=terms, define=self.define, expert=self.expert)

    def describe(self) -> str:
        """Returns the signal in one line of text."""
        if self.empty:
            return "nothing (the base reward alone)"
        parts = [
            f"{term.weight:g} * {term.kind}[{term.expression}]"
            + (f" for {', '.join(term.agents)}" if term.agents else "")
            for term in self.terms
        ]
        parts += [] if self.expert is None else [f"an expert: {self.expert.describe()}"]
        text = " + ".join(parts)
        if self.define:
            named = [f"{name} = {meaning}" for name, meaning in self.define.items()]
            text += f", with {'; '.join(named)}"
        if self.fade is None:
            return text
        return f"{text}, fading out within {self.fade:.0%} of the training"


@lru_cache(maxsize=4096)
def _identify(
    terms: tuple[Term, ...],
    fade: float | None,
    define: tuple[tuple[str, str], ...],
    expert: Expert | None,
) -> str:
    if not terms and expert is None:
        return "none"
    parts = [term.model_dump_json(exclude={"rationale"}) for term in terms]
    parts += [] if fade is None else [f"fade {fade!r}"]
    parts += [f"define {name} = {text}" for name, text in define]
    if expert is not None:
        parts.append(expert.model_dump_json(exclude={"rationale"}))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]


class Fade(BaseModel):
    """Lets the strength of a signal fall linearly from 1 at one step to 0 at another.

    An environment's episode has one strength throughout, fixed when it is reset, so
    that potentials stay exact (and the optimal policy stays the optimal one:
    Devlin & Kudenko 2012).

    Attributes:
        begin: Steps after which the strength begins to fall from 1.
        end: Steps after which the strength is 0.

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
