"""Plays experts in auditions before any branch is trained with them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from also_wrappers.board.board import Board, Collected
from also_wrappers.board.posting import Posting
from also_wrappers.branches.randomness import randomness_restored
from also_wrappers.evidence.episodes import EpisodeRows
from also_wrappers.evidence.summary import summarise
from also_wrappers.ledger.events import Auditioned, Ranked
from also_wrappers.loop.journal import Journal
from also_wrappers.loop.measured import BLIND
from also_wrappers.loop.plan import Plan
from also_wrappers.loop.plays import CLEAR, Plays, clearness, more_often, why_refused
from also_wrappers.proposals.outcomes import Played
from also_wrappers.proposals.proposal import Proposal
from also_wrappers.run.run import Run
from also_wrappers.signal.advice import Advice
from also_wrappers.signal.model import Signal
from also_wrappers.trainer import Trainer
from also_wrappers.wrappers.shape import Shape

__all__ = ["MOST_RANKED", "Auditions", "Verdict"]

Array = npt.NDArray[np.float64]

#: Episodes after which an audition may end, and the standard errors at which it ends
#: early. Ten episodes tell idle from good; a hundred are needed between experts that
#: earn nearly alike.
_LOOKS, _AT_ONCE = (10, 20, 40, 100), 3.0
#: Share of the actions that are random when an expert plays for the second time:
#: agents that all follow an expert exactly may block each other for ever.
_NOISE = 0.1
#: Added to the seeds of rankings, so that an audition does not repeat the luck by which
#: an expert was the best of many.
_RANKED = 10
#: Share of the planned training that a ranking may play.
MOST_RANKED = 0.1
#: Last steps of an episode without reward, in which a refusal looks for the cause.
_LATE = 10


@dataclass(frozen=True)
class Verdict:
    """Holds the result of one expert's audition.

    Attributes:
        refusal: Why the expert is not tried, in a sentence; empty if it is.
        promised: Base return that the expert earns by itself; ``None`` where only
            declared conditions speak for it.
        alone: Whether the expert is used without any branch: the policy has no base
            return to lose, and the expert clearly earns some.
        played: What the expert earned; ``None`` where it could not play.
    """

    refusal: str = ""
    promised: float | None = None
    alone: bool = False
    played: Played | None = None


_VERDICT = TypeAdapter(Verdict)
_RANKING = TypeAdapter(tuple[list[Played], int])


class Auditions:
    """Plays experts, and the policy without an expert on the same seeds.

    An expert is played twice: exactly, and with a tenth of the actions at random. Where
    the expert is silent, the policy acts.

    Args:
        number: Number of the round.
        run: The run.
        trainer: The trainer, at rest; it is left as it is.
        plan: How much the round may try. Once an audition has taken half the steps of a
            branch, it comes to an end.
        journal: Keeps the results of what was played.
    """

    def __init__(
        self, number: int, run: Run, trainer: Trainer, plan: Plan, journal: Journal
    ) -> None:
        self._number = number
        self._run = run
        self._trainer = trainer
        self._journal = journal
        self._seed = plan.seed * 1_000_003 + number * 10_007 + 9_000
        self._most = plan.horizon // 2
        self._left = int(MOST_RANKED * trainer.total)
        self._spent = 0
        self._alone: dict[int, Plays] = {}

    def play(self, signal: Signal, *, active: bool = False) -> Verdict:
        """Plays a signal's expert until it clearly passes or fails its audition.

        Args:
            signal: The signal.
            active: Whether the expert is in force already.

        Raises:
            ConfigurationError: The trainer does not imitate, and why; or the trainer's
                factory of environments is wrong.
        """
        work = partial(self._audition, signal, active)
        return self._journal.once("audition", _VERDICT, work)

    def _audition(self, signal: Signal, active: bool) -> Verdict:
        assert signal.expert is not None
        expert_only = _expert_only(signal)
        before = self._spent
        alone, exact, noisy = Plays(), Plays(), Plays()
        for look, until in enumerate(_LOOKS):
            wanted = until - len(exact.returns)
            if wanted > 0:
                self._play(exact, expert_only, wanted, look, 0.0)
                self._play(noisy, expert_only, wanted, look, _NOISE)
                self._play_alone(alone, wanted, look)
            best = max(exact, noisy, key=lambda episodes: episodes.mean)
            z = clearness(best.returns, alone.returns)
            same = len({*exact.returns, *noisy.returns, *alone.returns}) == 1
            if same or abs(z) >= _AT_ONCE or self._spent - before > self._most:
                break
        promised: float | None = best.mean
        passed = z >= CLEAR
        if same and self._run.task.conditions:
            # No base return could end the pull of an expert that earns none.
            best = max(exact, noisy, key=lambda episodes: episodes.rate)
            passed = more_often(best, alone)
            promised = None
        steps = self._spent - before
        shares, late = self._shares(expert_only, [*exact.rows, *noisy.rows])
        played = _played(Proposal(signal=signal), best, alone, sum(shares))
        refusal = (
            "" if passed else why_refused(expert_only.expert, best, alone, shares, late)
        )
        if not passed:
            promised = None
        self._run.ledger.write(
            Auditioned(
                round=self._number,
                signal=signal.id,
                expert=expert_only,
                passed=passed,
                active=active,
                refusal=refusal,
                promised=promised,
                earned=played.earned,
                error=played.error,
                noise=_NOISE if best is noisy else 0.0,
                policy=alone.mean,
                episodes=len(best.returns),
                steps=steps,
                coverage=played.coverage,
                distance=played.distance,
                shares=tuple(shares),
                late=tuple(late),
            )
        )
        nothing_to_lose = abs(alone.mean) <= BLIND * best.mean
        unrivalled = nothing_to_lose and z >= _AT_ONCE
        return Verdict(refusal, promised, unrivalled, played)

    def rank(self, proposals: Sequence[Proposal]) -> list[Played]:
        """Plays many experts for a few episodes each, and the better half for more.

        All rankings of a round together play at most a tenth of the planned training;
        experts that are left over then are not played.

        Args:
            proposals: The experts, as candidates that passed the checks.

        Returns:
            What the experts earned, the best first; experts that earn alike are in
            the order of how often the declared conditions held.
        """
        if self._left <= 0:
            return []
        work = partial(self._rank, proposals)
        ranked, steps = self._journal.once("ranking", _RANKING, work)
        self._left -= steps
        return ranked

    def _rank(self, proposals: Sequence[Proposal]) -> tuple[list[Played], int]:
        """Returns what experts earned, best first, and the trainer steps played."""
        before = self._spent
        entrants = [_Entrant(proposal) for proposal in proposals]
        playing = entrants
        alone = Plays()
        for look, until in enumerate(_LOOKS[:-1]):
            wanted = until - len(alone.returns)
            if wanted > 0:
                self._play_alone(alone, wanted, look + _RANKED)
            for entrant in playing:
                missing = len(alone.returns) - len(entrant.episodes.returns)
                if missing > 0 and self._spent - before < self._left:
                    expert_only = _expert_only(entrant.proposal.signal)
                    self._play(
                        entrant.episodes, expert_only, missing, look + _RANKED, _NOISE
                    )
            playing = sorted(
                (entrant for entrant in playing if entrant.exceeds(alone)),
                key=_rank,
                reverse=True,
            )[: len(playing) // 2]
            if len(playing) < 2 or self._spent - before >= self._left:
                break
        steps = self._spent - before
        ranked = []
        for entrant in sorted(entrants, key=_rank, reverse=True):
            if entrant.episodes.returns:
                episodes = entrant.episodes
                expert_only = _expert_only(entrant.proposal.signal)
                shares, _ = self._shares(expert_only, episodes.rows)
                ranked.append(_played(entrant.proposal, episodes, alone, sum(shares)))
        if ranked:
            best = ranked[0]
            self._run.ledger.write(
                Ranked(
                    round=self._number,
                    played=len(ranked),
                    best=best.proposal.signal,
                    earned=best.earned,
                    error=best.error,
                    policy=best.policy,
                    steps=steps,
                )
            )
        return ranked, steps

    def _play_alone(self, episodes: Plays, wanted: int, look: int) -> None:
        """Plays the policy without an expert, once for all experts of a round."""
        if look not in self._alone:
            self._alone[look] = Plays()
            self._play(self._alone[look], Signal(), wanted, look, 0.0)
        episodes.add(self._alone[look])

    def _play(
        self, episodes: Plays, signal: Signal, wanted: int, look: int, noise: float
    ) -> None:
        task, trainer = self._run.task, self._trainer
        posting = Posting(
            version=1,
            signal=signal,
            gamma=trainer.gamma,
            bootstraps_truncation=trainer.bootstraps_truncation,
        )
        seed = (self._seed + 1_009 * look) % 2**31
        with tempfile.TemporaryDirectory() as folder, randomness_restored():
            board = Board.create(Path(folder) / "board", posting)
            with self._counted() as stepped:
                played = trainer.audition(
                    Shape(task, board), wanted, seed, noise, stepped
                )
            ended = board.new_episodes()
            collected = board.collect(task.conditions)
        self._spent += played.steps
        timeouts = [int((~ended["terminated"]).sum()), len(ended)]
        rows = collected.episodes if collected else []
        rates = self._rates(collected, len(ended))
        spoken = (played.spoken, played.agreed)
        episodes.add(Plays(list(played.returns), rows, timeouts, rates, spoken))

    @contextmanager
    def _counted(self) -> Iterator[Callable[[int], None]]:
        """Counts the trainer steps that the yielded function is called with.

        The steps are counted even if an error ends the play.
        """
        played = 0

        def stepped(steps: int) -> None:
            nonlocal played
            played += steps
            self._run.note_in_flight(steps)

        try:
            yield stepped
        finally:
            self._run.accounting.evaluation += played
            self._run.note_in_flight(-played)

    def _rates(self, collected: Collected | None, episodes: int) -> dict[str, float]:
        conditions = self._run.task.conditions
        if collected is None:
            return {}
        evidence = summarise(collected.layout, collected.values, Signal(), conditions)
        return {
            name: episodes * evidence.values.get(f"condition.{name}.rate", 0.0)
            for name in conditions
        }

    def _shares(
        self, signal: Signal, episodes: Sequence[EpisodeRows]
    ) -> tuple[list[float], list[float]]:
        """Returns the share of the steps at which each rule of an expert spoke.

        The first list is of all steps, the second of the last steps of episodes without
        reward; the second is empty where no episode was without reward.
        """
        expert, actions = signal.expert, self._run.task.actions
        layout = self._run.board.layout
        assert expert is not None
        assert actions is not None
        assert layout is not None
        spoken = np.zeros((2, len(expert.rules) + 1))
        asked = np.zeros(2)
        for count in range(1, len(expert.rules) + 1):
            shorter = expert.model_copy(update={"rules": expert.rules[:count]})
            advice = Advice(
                signal.model_copy(update={"expert": shorter}),
                self._run.task.features,
                actions,
                layout.agents,
            )
            for episode in episodes:
                alive = episode.alive[:-1]
                good = advice.batch(episode.rows[:-1], alive) > 0
                spoken[0, count] += good.sum()
                asked[0] += alive.sum() * (count == 1)
                if episode.complete and not (episode.rewards > 0.0).any():
                    spoken[1, count] += good[-_LATE:].sum()
                    asked[1] += alive[-_LATE:].sum() * (count == 1)
        shares = np.diff(spoken, axis=1) / np.maximum(asked, 1.0)[:, None]
        return shares[0].tolist(), shares[1].tolist() if asked[1] else []


@dataclass
class _Entrant:
    """Holds one expert of a ranking, and the episodes that the expert played."""

    proposal: Proposal
    episodes: Plays = field(default_factory=Plays)

    def exceeds(self, alone: Plays) -> bool:
        """True where the expert has done better so far than the policy alone."""
        if not self.episodes.returns:
            return False
        return _rank(self) > (alone.mean, alone.rate)


def _rank(entrant: _Entrant) -> tuple[float, float]:
    """Returns an expert's sort key: its base return, then its rate of conditions."""
    episodes = entrant.episodes
    return (episodes.mean, episodes.rate) if episodes.returns else (-math.inf, 0.0)


def _played(
    proposal: Proposal, episodes: Plays, alone: Plays, coverage: float
) -> Played:
    """Returns what an expert earned, with what the policy earned alone."""
    return Played(
        proposal=proposal,
        earned=episodes.mean,
        error=episodes.error,
        rate=episodes.rate,
        policy=alone.mean,
        coverage=coverage,
        distance=episodes.distance,
    )


def _expert_only(signal: Signal) -> Signal:
    """Returns a signal with the expert of another signal and without terms."""
    return Signal(define=signal.define, expert=signal.expert)
