"""Servers that speak OpenAI's chat API: vLLM, llama.cpp, OpenAI and others."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from also_wrappers.advisors.models.base import Reply, check_allowed
from also_wrappers.exceptions import AdvisorError, ModelUnavailableError

__all__ = ["OpenAICompatible"]

_CONNECT_SECONDS = 5.0


class OpenAICompatible:
    """A model behind ``/chat/completions``.

    Args:
        base_url: Such as ``http://localhost:8000/v1``.
        model: Name of the model.
        api_key_variable: Environment variable that holds the key; it is read when a
            request is made and never recorded.
        timeout: Seconds for one answer.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key_variable: str = "OPENAI_API_KEY",
        timeout: float = 300.0,
    ) -> None:
        self.name = model
        self._base_url = base_url.rstrip("/")
        self._key = api_key_variable
        self._timeout = timeout
        self._format = "json_schema"

    def prepare(self) -> None:
        """Checks that the server is there and has the model."""
        check_allowed(self.name)
        import httpx

        try:
            response = httpx.get(
                f"{self._base_url}/models",
                headers=self._headers(),
                timeout=_CONNECT_SECONDS,
            )
            response.raise_for_status()
            found = [entry["id"] for entry in response.json()["data"]]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ModelUnavailableError(
                f"no OpenAI-compatible server answers at {self._base_url} "
                f"({type(error).__name__}); check the address and ${self._key}"
            ) from error
        if self.name not in found:
            raise ModelUnavailableError(
                f"the server at {self._base_url} has no model {self.name!r}; it has "
                f"{', '.join(found[:20]) or 'none'}"
            )

    def chat(self, system: str, prompt: str, schema: dict[str, Any]) -> Reply:
        """Asks with ``json_schema``; a server that refuses gets ``json_object``."""
        check_allowed(self.name)
        import httpx

        began = time.perf_counter()
        try:
            response = self._post(system, prompt, schema)
            if response.status_code == 400 and self._format == "json_schema":
                self._format = "json_object"
                response = self._post(system, prompt, schema)
            response.raise_for_status()
            data = response.json()
            choice = data["choices"][0]
            text = choice["message"]["content"] or ""
        except httpx.TimeoutException as error:
            raise AdvisorError(
                f"{self.name} gave no answer within {self._timeout:g} seconds"
            ) from error
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
            raise AdvisorError(
                f"the server at {self._base_url} gave no usable answer: "
                f"{type(error).__name__}"
            ) from error
        problem = "" if text.strip() else "the answer was empty"
        if choice.get("finish_reason") == "length":
            problem = "the answer was cut at the limit of tokens; answer more briefly"
        usage = data.get("usage") or {}
        return Reply(
            text,
            time.perf_counter() - began,
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
            problem,
        )

    def _post(self, system: str, prompt: str, schema: dict[str, Any]) -> Any:
        import httpx

        form: dict[str, Any] = {"type": "json_object"}
        if self._format == "json_schema":
            form = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema},
            }
        else:
            prompt = f"{prompt}\n\nThe JSON schema of the answer:\n{json.dumps(schema)}"
        return httpx.post(
            f"{self._base_url}/chat/completions",
            headers=self._headers(),
            timeout=httpx.Timeout(self._timeout, connect=_CONNECT_SECONDS),
            json={
                "model": self.name,
                "messages": [
                    {"role": "system", "content": system},
                    {"role": "user", "content": prompt},
                ],
                "response_format": form,
            },
        )

    def _headers(self) -> dict[str, str]:
        key = os.environ.get(self._key)
        return {"Authorization": f"Bearer {key}"} if key else {}
