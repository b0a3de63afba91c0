"""The base of the models of this room: frozen, finite, nothing extra."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Data", "Key", "named"]


#: A key of the evidence.
Key = Annotated[str, Field(max_length=120)]


class Data(BaseModel):
    """Freezes a model; rejects unknown fields and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def named(known: Mapping[str, object]) -> AfterValidator:
    """Makes a validator that accepts the names in ``known`` only."""

    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{name[:40]!r} is none of {', '.join(known)}")
        return name

    return AfterValidator(check)
