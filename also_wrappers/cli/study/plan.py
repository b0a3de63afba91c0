"""``Plan``: tasks, arms and seeds of a study, as a file declares them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from also_wrappers.exceptions import ConfigurationError

__all__ = ["Cell", "Plan", "PlannedArm", "PlannedTask", "read_plan", "smaller"]

#: Names of tasks and arms are names of folders.
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]*$", max_length=60)]
_Place = Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]

#: Environment steps of a training of the small version.
_SMALL = 24_576


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedTask(_Declared):
    """Declares a task of a study.

    Attributes:
        train: ``MODULE:TRAIN``, a function ``train(run_dir, seed, env_steps,
            **options)`` that trains a mainline of ``env_steps``, with options of the
            arm. What is spent on branches comes on top, and the comparison is before
            the end then.
        env_steps: Environment steps, branches and all else included, at which arms are
            compared.
        low: Base return that scores 0.
        high: Base return that scores 1.
        options: Handed to ``train`` by every arm.
    """

    train: _Place
    env_steps: PositiveInt
    low: float = 0.0
    high: float = 1.0
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _scores_differ(self) -> PlannedTask:
        if not self.low < self.high:
            raise ValueError(f"low must lie below high, not {self.low} and {self.high}")
        return self

    def score(self, base_return: float) -> float:
        """Returns a base return on the scale from ``low`` to ``high``."""
        return (base_return - self.low) / (self.high - self.low)


class PlannedArm(_Declared):
    """Declares an arm of a study: what all its trainings share.

    Attributes:
        options: Handed to ``train``, such as ``budget = 0.0``.
        make: Options whose values a function of the user's makes, ``MODULE:MAKE``,
            called as ``make(task, seed)`` with the task's name.
        tasks: Names of the tasks that the arm is tried on; all if empty.
        seeds: Seeds of the arm; those of the plan if empty.
    """

    options: dict[str, Any] = {}
    make: dict[str, _Place] = {}
    tasks: tuple[str, ...] = ()
    seeds: tuple[NonNegativeInt, ...] = ()


class Cell(NamedTuple):
    """Names one training of a study.

    Attributes:
        task: Name of the task.
        arm: Name of the arm.
        seed: The seed.
    """

    task: str
    arm: str
    seed: int

    @property
    def folder(self) -> Path:
        """Where the run is, within the study's directory."""
        return Path("runs") / self.task / self.arm / f"seed-{self.seed}"

    def __str__(self) -> str:
        return f"{self.task}, {self.arm}, seed {self.seed}"


class Plan(_Declared):
    """Declares a study: every arm on every task, with every seed.

    Attributes:
        seeds: The seeds.
        reference: Name of the arm that others are compared with; the first if not
            given.
        levels: Scores whose first reaching is reported.
        tasks: The tasks by name.
        arms: The arms by name.
    """

    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1)]
    reference: str = ""
    levels: tuple[float, ...] = (0.5, 0.9)
    tasks: Annotated[dict[_Name, PlannedTask], Field(min_length=1)]
    arms: Annotated[dict[_Name, PlannedArm], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_are_there(self) -> Plan:
        if self.reference and self.reference not in self.arms:
            raise ValueError(
                f"reference is {self.reference!r}, which is none of the arms "
                f"{', '.join(self.arms)}"
            )
        for name, arm in self.arms.items():
            for task in arm.tasks:
                if task not in self.tasks:
                    raise ValueError(
                        f"the arm {name!r} names the task {task!r}, which is none of "
                        f"{', '.join(self.tasks)}"
                    )
        for seeds in (self.seeds, *(arm.seeds for arm in self.arms.values())):
            if len(set(seeds)) < len(seeds):
                raise ValueError(f"seeds are named twice: {seeds}")
        return self

    @property
    def compared_with(self) -> str:
        """Name of the arm that others are compared with."""
        return self.reference or next(iter(self.arms))

    def cells(self) -> Iterator[Cell]:
        """Yields the trainings, seed by seed.

        A study that is stopped then has all arms of its first seeds.
        """
        seeds = dict.fromkeys(
            seed for arm in self.arms.values() for seed in (arm.seeds or self.seeds)
        )
        for seed in seeds:
            for task in self.tasks:
                for name, arm in self.arms.items():
                    if seed in (arm.seeds or self.seeds) and (
                        not arm.tasks or task in arm.tasks
                    ):
                        yield Cell(task, name, seed)


def read_plan(path: Path) -> Plan:
    """Reads a plan.

    Args:
        path: A TOML file.

    Raises:
        ConfigurationError: There is no such file, or it declares no study; with what
            is wrong and what is allowed.
    """
    if not path.is_file():
        raise ConfigurationError(
            f"there is no plan at {path}; give a TOML file that declares a study, such "
            "as examples/study/plan.toml"
        )
    try:
        return Plan.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the plan"
        raise ConfigurationError(
            f"{path}: {place}: {_in_words(first['type'], first['msg'])}"
        ) from error


def smaller(plan: Plan) -> Plan:
    """Returns the small version of a plan: that everything runs, and no result.

    It has the first task that every arm is tried on, or else the first; the first two
    arms; one seed, and trainings of 24,576 environment steps.
    """
    everywhere = (
        name
        for name in plan.tasks
        if all(not arm.tasks or name in arm.tasks for arm in plan.arms.values())
    )
    name = next(everywhere, next(iter(plan.tasks)))
    task = plan.tasks[name].model_copy(update={"env_steps": _SMALL})
    arms = {
        other: arm.model_copy(update={"seeds": ()})
        for other, arm in plan.arms.items()
        if not arm.tasks or name in arm.tasks
    }
    first = dict(list(arms.items())[:2])
    update: dict[str, Any] = {
        "seeds": plan.seeds[:1],
        "reference": "",
        "tasks": {name: task},
        "arms": {k: a.model_copy(update={"tasks": ()}) for k, a in first.items()},
    }
    return plan.model_copy(update=update)


def _in_words(kind: str, message: str) -> str:
    """Returns what pydantic says of a field, in words of the plan."""
    if kind == "extra_forbidden":
        return (
            "there is no such key; see also_wrappers.cli.study for those there are, "
            "and quote a name with a dot in it"
        )
    if kind == "string_pattern_mismatch":
        return (
            f"{message}; write MODULE:NAME for functions, and names of tasks and arms "
            "in letters, digits, spaces, and any of _.+-"
        )
    return message.removeprefix("Value error, ")
