"""The one tree of exceptions: every error of this package is an ``AlsoError``.

Each carries one sentence on what was wrong and what to do about it; the command
line prints it and exits with code 2.
"""

from __future__ import annotations

__all__ = [
    "AdvisorError",
    "AlsoError",
    "ConfigurationError",
    "ExpressionError",
    "FeatureError",
    "ModelUnavailableError",
    "StorageError",
    "brief",
    "one_line",
]

#: Characters of an error of ours; names and texts of others may be part of it.
_LONGEST = 2000
#: Characters of an error of others that is told of.
_LONGEST_FOREIGN = 500


class AlsoError(Exception):
    """Base class of all errors that this package raises on purpose.

    Example:
        >>> issubclass(ConfigurationError, AlsoError)
        True
    """

    def __str__(self) -> str:
        """Returns the sentence, cut where it is longer than a page."""
        return _cut(super().__str__(), _LONGEST)


class ConfigurationError(AlsoError, ValueError):
    """What the user declared cannot work; raised before any training.

    Example:
        >>> from also_wrappers import Fade, FeatureMap, Signal, wrap
        >>> try:
        ...     wrap(object(), FeatureMap(), signal=Signal())
        ... except ConfigurationError as error:
        ...     print(error)
        a feature map needs at least one feature
    """


class FeatureError(ConfigurationError):
    """A feature does not fit the environment that it is read from.

    Example:
        >>> from also_wrappers import Feature, FeatureMap
        >>> try:
        ...     FeatureMap(Feature("and", "obs[0]"))
        ... except FeatureError as error:
        ...     print(str(error)[:35])
        'and' cannot be a feature's name; u
    """


class ExpressionError(AlsoError, ValueError):
    """A text that is not a valid expression of the term language.

    Attributes:
        reason: What is wrong and what is allowed instead.
        text: The expression.
        position: Index of the character in ``text`` where the problem begins.

    Example:
        >>> from also_wrappers.signal import parse
        >>> try:
        ...     parse("distence * 2", ["distance"])
        ... except ExpressionError as error:
        ...     print(error.position, error.reason)
        0 there is no feature 'distence'; did you mean distance?
    """

    def __init__(self, reason: str, text: str, position: int) -> None:
        self.reason = reason
        self.text = text
        self.position = position
        start = max(0, position - 30)
        excerpt = text[start : position + 30].replace("\n", " ")
        super().__init__(
            f"{reason} (at character {position}: "
            f"{'...' if start else ''}{excerpt!r}"
            f"{'...' if position + 30 < len(text) else ''})"
        )


class AdvisorError(AlsoError):
    """An advisor gave no usable answer; the round goes on without it.

    Example:
        >>> issubclass(AdvisorError, AlsoError)
        True
    """


class ModelUnavailableError(AdvisorError, ConfigurationError):
    """A language model was named and cannot be reached.

    Example:
        >>> issubclass(ModelUnavailableError, (AdvisorError, ConfigurationError))
        True
    """


class StorageError(AlsoError, OSError):
    """A file of a run cannot be written; what was recorded before is whole.

    Example:
        >>> issubclass(StorageError, (AlsoError, OSError))
        True
    """


def brief(error: BaseException) -> str:
    """Returns an error's kind and message, cut where the message is long.

    Environments, advisors and models of users may raise anything, and what they raise
    goes into the ledger and onto the terminal.

    Example:
        >>> brief(ValueError("no such weather"))
        'ValueError: no such weather'
        >>> len(brief(ValueError("x" * 1_000_000))) < 600
        True
    """
    return f"{type(error).__name__}: {_cut(str(error), _LONGEST_FOREIGN)}"


def one_line(text: str, most: int = 300) -> str:
    r"""Returns what somebody else has said as a part of a sentence of ours.

    Args:
        text: The text, which may have line breaks and be of any length.
        most: Characters of it that are returned.

    Example:
        >>> one_line("no such\r\n\r\nmodel ")
        'no such model'
    """
    return " ".join(_cut(text, most).split())


def _cut(text: str, most: int) -> str:
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]}... ({left:,} more characters)"
