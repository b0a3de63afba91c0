"""Asks a language model with ``LLMAdvisor``, in the roles of Critic and Generator.

Every answer of a model is validated here, in Python: an answer can only become a
diagnosis whose claims agree with the evidence, or candidates that are bounded numbers.
An answer that cannot be used goes back with its problems, a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from also_wrappers.advisors.base import Advisor, Situation
from also_wrappers.advisors.llm import prompts, schemas
from also_wrappers.advisors.llm.answers import (
    LONGEST,
    Reading,
    problem_of,
    read_candidates,
    read_diagnosis,
    read_object,
)
from also_wrappers.advisors.llm.ceiling import Ceiling
from also_wrappers.advisors.llm.models.base import ChatModel
from also_wrappers.exceptions import AdvisorError
from also_wrappers.proposals.diagnosis import Diagnosis
from also_wrappers.proposals.exchange import Exchange
from also_wrappers.proposals.proposal import Proposal

__all__ = ["LLMAdvisor"]

T = TypeVar("T")


class LLMAdvisor(Advisor):
    """Asks a language model what goes wrong and what may help.

    Args:
        model: The language model.
        repairs: How often an answer that cannot be used goes back with its problems.
        ceiling: How much the run may ask of the model.

    Example:
        >>> from also_wrappers import Ollama
        >>> LLMAdvisor(Ollama("qwen3:8b")).name
        'llm:qwen3:8b'
    """

    slow = True

    def __init__(
        self, model: ChatModel, repairs: int = 2, ceiling: Ceiling | None = None
    ) -> None:
        super().__init__()
        self.name = f"llm:{model.name}"
        self._model = model
        self._repairs = repairs
        self._ceiling = ceiling or Ceiling()

    def prepare(self) -> None:
        """Checks that the language model can be reached."""
        self._model.prepare()

    def diagnose(self, situation: Situation) -> Diagnosis:
        """Asks the Critic for a diagnosis whose claims agree with the evidence.

        A claim that the evidence contradicts goes back to the Critic; a claim that is
        still contradicted after the last repair is left out.

        Raises:
            AdvisorError: The model gave no usable answer, or a ceiling is reached.
        """
        evidence = situation.evidence

        def read(data: dict[str, Any], reading: Reading) -> Diagnosis | None:
            return read_diagnosis(data, evidence, reading)

        schema = schemas.diagnosis(evidence.keys(prompts.EVIDENCE))
        return self._ask("critic", prompts.critic(situation), schema, read)

    def propose(self, situation: Situation, k: int) -> list[Proposal]:
        """Asks the Generator for candidates, or for replacements given results.

        A candidate that is valid in any of the answers counts.

        Raises:
            AdvisorError: The model gave no usable answer, or a ceiling is reached.
        """
        if situation.results:
            role, prompt = "refine", prompts.refine(situation, k)
        else:
            role, prompt = "generator", prompts.generator(situation, k)
        valid: dict[str, Proposal] = {}

        def read(data: dict[str, Any], reading: Reading) -> list[Proposal] | None:
            for proposal in read_candidates(data, situation, k, reading):
                valid[proposal.signal.id] = proposal
            return list(valid.values())[-k:] or None

        keys = prompts.citable(situation)
        schema = schemas.candidates(
            keys, situation.features, k, situation.actions, situation.agents
        )
        return self._ask(role, prompt, schema, read)

    def rest(self) -> None:
        """Lets the language model free its memory."""
        self._model.rest()

    def _ask(
        self,
        role: str,
        prompt: str,
        schema: dict[str, Any],
        read: Callable[[dict[str, Any], Reading], T | None],
    ) -> T:
        system = prompts.system()
        request = prompt
        reading = Reading()
        usable: T | None = None
        for _ in range(self._repairs + 1):
            try:
                self._ceiling.check()
                reply = self._model.chat(system, request, schema)
                self._ceiling.add(reply)
            except AdvisorError as error:
                self._record(role, request, "", 0.0, problem=str(error))
                if usable is not None:
                    return usable
                raise
            reading = Reading()
            if reply.problem:
                reading.problems.append(reply.problem)
            else:
                try:
                    usable = read(read_object(reply.text), reading) or usable
                except (ValidationError, ValueError) as error:
                    reading.problems.append(problem_of(error))
            self._record(
                role,
                request,
                reply.text,
                reply.seconds,
                prompt_tokens=reply.prompt_tokens,
                answer_tokens=reply.answer_tokens,
                problem="; ".join(reading.problems)[:2000],
                claims=reading.claims,
                grounded=reading.grounded,
            )
            if usable is not None and not reading.problems:
                return usable
            request = f"{prompt}\n\n{prompts.repair(reading.problems, reply.text)}"
        if usable is not None:
            return usable
        raise AdvisorError(
            f"{self._model.name} gave no usable answer as {role} in "
            f"{self._repairs + 1} tries; the last problem: "
            f"{'; '.join(reading.problems)[:300]}"
        )

    def _record(
        self, role: str, prompt: str, answer: str, seconds: float, **about: Any
    ) -> None:
        self.exchanges.append(
            Exchange(
                role=role,
                prompt=prompt,
                answer=answer[:LONGEST],
                model=self._model.name,
                seconds=round(seconds, 3),
                **about,
            )
        )
