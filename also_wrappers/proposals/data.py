"""Defines the base of this room's models: frozen, finite, without unknown fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Data", "Key", "named"]


#: A key of the evidence.
Key = Annotated[str, Field(max_length=120)]


class Data(BaseModel):
    """Base of frozen models that reject unknown fields and infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def named(known: Mapping[str, object]) -> AfterValidator:
    """Returns a validator that accepts the names in ``known`` only."""

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{name[:40]!r} is none of {', '.join(known)}")
        return name

    return AfterValidator(check)
