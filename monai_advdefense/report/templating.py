"""How the pages of this package are filled."""

from __future__ import annotations

import functools
import math

import jinja2

__all__ = ["page_template"]


def page_template(name: str) -> jinja2.Template:
    """A template of this package; text from outside is escaped, and a name that is not given is an error.

    Args:
        name: file in ``report/templates``.

    Returns:
        The template, with filters ``number``, ``millimeters``, ``percent`` and ``sentence`` and the test ``finite``.
    """
    return _environment().get_template(name)


@functools.cache
def _environment() -> jinja2.Environment:
    """One for all pages of a run: a template takes longer to compile than to fill."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("monai_advdefense.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["millimeters"] = lambda position: f"{position:.1f}".replace("-", "\N{MINUS SIGN}")
    environment.filters["percent"] = lambda rate: f"{100 * rate:.3g} %"
    environment.filters["sentence"] = lambda words: words[:1].upper() + words[1:]
    environment.tests["finite"] = math.isfinite
    return environment


def _number(value: float) -> str:
    return f"{value:#.4g}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "not a number"
