"""Declares what every event carries: when it was written, and the steps so far."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from also_wrappers.ledger.accounting import Counts

__all__ = ["SCHEMA_VERSION", "RoundEvent", "RunEvent"]

#: Raised whenever a line of an older ledger could be misread.
SCHEMA_VERSION: Final = 3


class RunEvent(BaseModel):
    """Base of all events of a run; the ledger fills in time and steps.

    Attributes:
        schema_version: Version of the form of the events.
        time: Seconds since 1970.
        env_steps: Environment steps that were spent so far, by what they were spent on.
        trainer_steps: Trainer steps that were spent so far, in the same way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[3] = SCHEMA_VERSION
    time: Annotated[float, Field(ge=0.0, le=1e12)] = 0.0
    env_steps: Counts = Counts()
    trainer_steps: Counts = Counts()


class RoundEvent(RunEvent):
    """Base of all events of a round, which adds the number of the round.

    Attributes:
        round: Number of the round, counted from 1.
    """

    round: int
