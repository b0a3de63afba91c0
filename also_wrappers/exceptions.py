"""Defines the one tree of exceptions: every error of this package is an ``AlsoError``.

Each error carries one sentence on what was wrong and what to do; the command line
prints the sentence and exits with code 2.
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

#: The most characters of an error of this package, which may quote texts of others.
_LONGEST = 2000
#: The most characters that are quoted of an error of others.
_LONGEST_FOREIGN = 500


class AlsoError(Exception):
    """Base class of all errors that this package raises on purpose.

    Example:
        >>> issubclass(ConfigurationError, AlsoError)
        True
    """

    def __str__(self) -> str:
        """Returns the error's sentence, cut where it is longer than a page."""
        return _cut(super().__str__(), _LONGEST)


class ConfigurationError(AlsoError, ValueError):
    """Reports a declaration of the user that cannot work.

    Example:
        >>> from also_wrappers import Fade, FeatureMap, Signal, wrap
        >>> try:
        ...     wrap(object(), FeatureMap(), signal=Signal())
        ... except ConfigurationError as error:
        ...     print(error)
        a feature map needs at least one feature
    """


class FeatureError(ConfigurationError):
    """Reports a feature that does not fit its environment.

    Example:
        >>> from also_wrappers import Feature, FeatureMap
        >>> try:
        ...     FeatureMap(Feature("and", "obs[0]"))
        ... except FeatureError as error:
        ...     print(str(error)[:35])
        'and' cannot be a feature's name; u
    """


class ExpressionError(AlsoError, ValueError):
    """Reports a text that is not a valid expression of the term language.

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
    """Reports that an advisor gave no usable answer; the round goes on without it.

    Example:
        >>> issubclass(AdvisorError, AlsoError)
        True
    """


class ModelUnavailableError(AdvisorError, ConfigurationError):
    """Reports a language model that was named and cannot be reached.

    Example:
        >>> issubclass(ModelUnavailableError, (AdvisorError, ConfigurationError))
        True
    """


class StorageError(AlsoError, OSError):
    """Reports a file of a run that cannot be written.

    Example:
        >>> issubclass(StorageError, (AlsoError, OSError))
        True
    """


def brief(error: BaseException) -> str:
    """Returns an error's kind and message, cut where the message is long.

    Environments, advisors and models of users may raise any error, which is then
    written to the ledger and the terminal.

    Example:
        >>> brief(ValueError("no such weather"))
        'ValueError: no such weather'
        >>> len(brief(ValueError("x" * 1_000_000))) < 600
        True
    """
    return f"{type(error).__name__}: {_cut(str(error), _LONGEST_FOREIGN)}"


def one_line(text: str, most: int = 300) -> str:
    r"""Returns a text of others in one line, as a part of a sentence of ours.

    Args:
        text: The text, which may have line breaks and be of any length.
        most: The most characters that are returned.

    Example:
        >>> one_line("no such\r\n\r\nmodel ")
        'no such model'
    """
    return " ".join(_cut(text, most).split())


def _cut(text: str, most: int) -> str:
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]}... ({left:,} more characters)"
