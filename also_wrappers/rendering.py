"""Renders the templates of prompts and of the report page, from ``templates/``."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

__all__ = ["render"]


@cache
def _environment() -> jinja2.Environment:
    import jinja2  # what wraps or trains renders nothing

    root = resources.files("also_wrappers.templates")

    def load(name: str) -> str | None:
        source = root / name
        return source.read_text(encoding="utf-8") if source.is_file() else None

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


def render(template: str, /, **context: Any) -> str:
    """Renders a template; a name that the context lacks is an error.

    Args:
        template: File name in ``templates/``, such as ``critic.j2``.
        **context: The values of the template's names. Values are data: nothing in them
            is interpreted as template code.
    """
    return _environment().get_template(template).render(**context)
