"""Defines what an advisor is asked and what an advisor answers: data, never code.

Answers are data, never code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from also_wrappers.evidence.document import Evidence
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.evidence.stage import Stage
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.exchange import Exchange
from also_wrappers.proposals.outcomes import ArmOutcome, Played, Rejection, RoundOutcome
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.signal.actions import Actions
from also_wrappers.signal.feature_map import FeatureMap
from also_wrappers.signal.model import Signal

__all__ = ["Advisor", "Situation", "check_is_advisor", "tried"]


@dataclass(frozen=True)
class Situation:
    """Holds what an advisor knows of a run at the time when it is asked.

    A situation is plain data that later rounds leave as it is: a situation can be
    handed to a thread, or through ``cloudpickle`` to a process.

    Attributes:
        task: The user's description of the task.
        features: The vocabulary.
        agents: Names of the agents.
        signal: The active signal.
        evidence: The evidence of the window since the last round.
        stage: The learning stage.
        progress: Share of the planned training that is done, 0 to 1.
        history: Earlier rounds; stored as a tuple.
        diagnosis: The diagnosis of this round; ``None`` where there is none.
        rejected: Candidates of this round that were rejected before training; unless
            empty, ``propose`` is asked for others in place of the latest; stored as a
            tuple.
        results: How the candidates of this round did so far; unless empty, ``propose``
            is asked for replacements; stored as a tuple.
        played: What experts earned that played in this round, of which the best becomes
            a candidate; stored as a tuple.
        actions: The actions that experts may advise; ``None`` where no expert can be
            proposed.
        gamma: The learner's discount factor; ``None`` where it is not known.
        horizon: Environment steps of a branch; 0 where that is not known.
        episodes: Some recorded episodes; stored as a tuple.
    """

    task: str
    features: FeatureMap
    agents: tuple[str, ...]
    signal: Signal
    evidence: Evidence
    stage: Stage
    progress: float
    history: Sequence[RoundOutcome] = ()
    diagnosis: Diagnosis | None = None
    rejected: Sequence[Rejection] = ()
    results: Sequence[ArmOutcome] = ()
    played: Sequence[Played] = ()
    actions: Actions | None = None
    gamma: float | None = None
    horizon: int = 0
    episodes: Sequence[EpisodeRows] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        # The lists of a run grow, while a slow advisor may still read the situation.
        for name in ("history", "rejected", "results", "played", "episodes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


class Advisor(ABC):
    """Diagnoses what goes wrong and proposes what may help; the gate decides.

    A subclass needs a ``name`` and the two verbs, ``diagnose`` and ``propose``. Where a
    subclass has an ``__init__`` of its own, it calls ``super().__init__()``.

    Attributes:
        name: A short name for the record.
        slow: Whether answers take so long that the advisor is asked ahead: training
            goes on until the pause at which its candidates are tried.
        exchanges: Requests to a language model and the answers since the last call; the
            loop moves them to the ledger.

    Example:
        >>> class Silent(Advisor):
        ...     name = "silent"
        ...
        ...     def diagnose(self, situation: Situation) -> Diagnosis:
        ...         return Diagnosis(advice="go on")
        ...
        ...     def propose(self, situation: Situation, k: int) -> list[Proposal]:
        ...         return []
        >>> Silent().exchanges
        []
    """

    name: str
    slow: bool = False

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    @abstractmethod
    def diagnose(self, situation: Situation) -> Diagnosis:
        """Returns what goes wrong, and the evidence that shows it.

        Args:
            situation: The situation, without a diagnosis.

        Returns:
            The diagnosis; an ``insufficient`` diagnosis ends the round.

        Raises:
            AdvisorError: There is no usable answer.
        """

    @abstractmethod
    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        """Returns up to ``k`` candidates that were not tried before.

        A round asks for candidates first, and for replacements once ``results`` are
        there. Where some candidates are rejected before training, the round asks once
        more, with ``rejected``, for as many others.

        Args:
            situation: The situation with the round's diagnosis.
            k: The largest number of candidates.

        Returns:
            The candidates, the most promising first; see ``tried`` for the signals
            that no candidate may have.

        Raises:
            AdvisorError: There is no usable answer.
        """

    def experts(self, situation: Situation) -> list[Proposal]:
        """Returns experts to play, of which the best becomes a candidate.

        To play an expert costs a hundredth of what a branch costs, so an answer may
        name many experts, the most promising first. The experts play, and the advisor
        is asked again, with what they have earned in ``played``, until an answer is
        empty.

        Args:
            situation: The situation with the round's diagnosis and ``actions``.

        Returns:
            The experts, as candidates that were not tried before; most advisors have
            none.
        """
        return []

    def prepare(self) -> None:  # noqa: B027 -- most advisors need no check
        """Checks before training that the advisor can work.

        Raises:
            ModelUnavailableError: A model that was named cannot be reached.
        """

    def rest(self) -> None:  # noqa: B027 -- most advisors have nothing to free
        """Frees the memory that only asking needs; a round calls this at its end."""


def tried(situation: Situation) -> list[Signal]:
    """Returns the signals that must not be proposed again, each signal once.

    These are the active signal, the signals that this round trained, played or
    rejected, and those of the history.

    A candidate that an earlier round admitted without training a branch, because the
    budget ran out, may come again.

    Whether to go without a signal is a new question after every swap. So the empty
    signal of an earlier round counts only where that round tried the empty signal
    against the signal that is active now.
    """
    signals = [situation.signal]
    signals += [rejection.proposal.signal for rejection in situation.rejected]
    signals += [result.proposal.signal for result in situation.results]
    signals += [played.proposal.signal for played in situation.played]
    for outcome in situation.history:
        earlier = [
            arm.proposal.signal
            for arm in outcome.arms
            if arm.tried or arm.proposal.signal.id == outcome.winner
        ]
        earlier += [rejection.proposal.signal for rejection in outcome.rejected]
        earlier += [played.proposal.signal for played in outcome.played]
        same = outcome.control.id == situation.signal.id
        signals += [signal for signal in earlier if not signal.empty or same]
        signals += [] if outcome.control.empty else [outcome.control]
    return list({signal.id: signal for signal in signals}.values())


def check_is_advisor(advisor: object) -> Advisor:
    """Returns an advisor unchanged; rejects any object that is no advisor.

    Args:
        advisor: The object that a user gave as an advisor.

    Raises:
        ConfigurationError: The object is no advisor, such as a language model, a class
            or a name; or it has no ``name`` or no ``exchanges``.

    Example:
        >>> from also_wrappers import Ollama
        >>> try:
        ...     check_is_advisor(Ollama("qwen3:8b"))
        ... except ConfigurationError as error:
        ...     print(error)
        Ollama(...) is a language model, not an advisor; give LLMAdvisor(Ollama(...))
    """
    kind = type(advisor).__name__
    if isinstance(advisor, Advisor):
        if not isinstance(getattr(advisor, "exchanges", None), list):
            raise ConfigurationError(
                f"{kind} has no list of exchanges; call super().__init__() in its "
                "__init__"
            )
        if not isinstance(getattr(advisor, "name", None), str):
            raise ConfigurationError(
                f"{kind} has no name; give the class a line such as name = 'mine'"
            )
        return advisor
    if isinstance(advisor, type):
        example = f"{advisor.__name__}(...)"
        if not issubclass(advisor, Advisor) and hasattr(advisor, "chat"):
            example = f"LLMAdvisor({example})"
        raise ConfigurationError(
            f"{advisor.__name__} is a class, not an advisor; give {example}"
        )
    if hasattr(advisor, "chat"):
        raise ConfigurationError(
            f"{kind}(...) is a language model, not an advisor; give "
            f"LLMAdvisor({kind}(...))"
        )
    if hasattr(advisor, "diagnose") and hasattr(advisor, "propose"):
        raise ConfigurationError(
            f"{kind} has the methods of an advisor and is none; derive it from "
            "also_wrappers.advisors.Advisor"
        )
    raise ConfigurationError(
        f"{repr(advisor)[:80]} is not an advisor; give RuleAdvisor(), "
        "LLMAdvisor(model) or an advisor of your own, derived from "
        "also_wrappers.advisors.Advisor"
    )
