"""What a study leaves: all results in one table, figures and a page."""

from __future__ import annotations

from also_wrappers.cli.study.comparison import Comparison, compare, scores_of
from also_wrappers.cli.study.pictures import draw_curves, draw_profiles, draw_scores
from also_wrappers.cli.study.trainings import Study
from also_wrappers.exceptions import ConfigurationError
from also_wrappers.files import write_atomic, write_json
from also_wrappers.rendering import render

__all__ = ["write_study"]


def write_study(study: Study) -> Comparison:
    """Writes the results, figures and page of a study into its directory.

    The files are ``results.jsonl``, ``comparison.json``, three figures and
    ``study.html``.

    Args:
        study: The study, as far as it was trained.

    Returns:
        The comparison of its arms.

    Raises:
        ConfigurationError: No training is finished, or matplotlib is not installed.
        StorageError: A file cannot be written.
    """
    results = study.results()
    if not results:
        raise ConfigurationError(
            f"no training of the study in {study.folder} is finished; "
            f"{study.log_of(study.missing()[0])} has what the first one printed"
        )
    folder, plan = study.folder, study.plan
    comparison = compare(plan, results)
    lines = "".join(f"{result.model_dump_json()}\n" for result in results)
    write_atomic(folder / "results.jsonl", lines.encode())
    write_json(folder / "comparison.json", comparison.model_dump(mode="json"))
    scores = {arm: scores_of(results, arm) for arm in plan.arms}
    figures = {
        "curves": draw_curves(plan, results, folder),
        "scores": draw_scores(plan, comparison),
        "profiles": draw_profiles(plan, scores),
    }
    for name, figure in figures.items():
        write_atomic(folder / f"{name}.svg", figure)
    page = render(
        "study.html.j2",
        name=folder.resolve().name,
        comparison=comparison,
        finished=len(results),
        planned=len(list(plan.cells())),
        **{name: _inline(figure) for name, figure in figures.items()},
    )
    write_atomic(folder / "study.html", page.encode())
    return comparison


def _inline(figure: bytes) -> str:
    """Returns an SVG as it can stand in a page: without the XML declaration."""
    text = figure.decode()
    return text[text.index("<svg") :]
