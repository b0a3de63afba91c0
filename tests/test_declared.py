"""What a user declares wrongly is one sentence; what is right shows itself in short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from also_wrappers import (
    Action,
    Actions,
    AdaptationCallback,
    Expert,
    Feature,
    FeatureMap,
    Ollama,
    Rule,
    Run,
    Signal,
    Task,
    Term,
)
from also_wrappers.exceptions import ConfigurationError

X = Feature("x", "obs[0]")
FEATURES = FeatureMap(X)


def declare(**parts: Any) -> Task:
    return Task(**{"description": "Walk.", "features": FEATURES, **parts})


def succeeds(view: Any) -> bool:
    return True


def make(kind: Any, *parts: Any) -> Any:
    """Makes what a type checker would refuse."""
    return kind(*parts)


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "features alone": (lambda: make(Task, [X]), "a description and a FeatureMap"),
    "a list of features": (lambda: declare(features=[X]), "and a FeatureMap, not"),
    "no description": (lambda: declare(description=None), "not None"),
    "the wrong order": (lambda: make(Task, FEATURES, "x"), "not FeatureMap"),
    "a function as success": (
        lambda: declare(success=succeeds),
        "success: an expression is a text such as .* make what a function computes",
    ),
    "a function as condition": (
        lambda: declare(conditions={"a": succeeds}),
        "condition 'a': an expression is a text",
    ),
    "a list of conditions": (lambda: declare(conditions=["x > 1"]), "by name, not"),
    "a condition's number": (lambda: declare(conditions={3: "x > 1"}), "3 cannot be"),
    "a list of actions": (lambda: declare(actions=["left"]), "actions are an Actions"),
    "another swap": (lambda: declare(swap_at="now"), "'reset' or 'step', not 'now'"),
    "features in a list": (lambda: make(FeatureMap, [X]), "with a star before a list"),
    "a name for a feature": (lambda: make(FeatureMap, "x"), "made of features, not"),
    "a number for a path": (lambda: FeatureMap(make(Feature, "x", 3)), "is 3; give a"),
    "a number for a name": (lambda: FeatureMap(make(Feature, 3, "obs[0]")), "a text"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_declaration_is_one_sentence(what: str) -> None:
    call, match = WRONG[what]
    with pytest.raises(ConfigurationError, match=match) as caught:
        call()
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_who_is_no_run_or_no_advisor_is_said_before_training(tmp_path: Path) -> None:
    run = Run(declare(), tmp_path / "run")

    def make_venv(shape: Any) -> Any:
        raise AssertionError("nothing is made yet")

    wrong: list[tuple[Any, Any, str]] = [
        ("runs/x", None, r"run must be a Run\(task, run_dir\), not 'runs/x'"),
        (run, "rules", r"'rules' is not an advisor; give RuleAdvisor\(\)"),
        (run, Ollama("x"), r"not an advisor; give LLMAdvisor\(Ollama\(\.\.\.\)\)"),
        (run, Ollama, r"is a class, not an advisor; give LLMAdvisor\(Ollama"),
    ]
    for given, advisor, match in wrong:
        with pytest.raises(ConfigurationError, match=match):
            AdaptationCallback(given, make_venv, advisor)
    text: Any = "Walk."
    with pytest.raises(ConfigurationError, match="a run needs a Task"):
        Run(text, tmp_path / "other")
    run.close()


NEAR = Term(name="near", kind="bonus", expression="x < 0.2", weight=0.5)
GO = Expert(rules=(Rule(when="x > 0.5", do="left"),))


def test_what_is_declared_shows_itself_in_a_line(tmp_path: Path) -> None:
    assert repr(FEATURES) == "FeatureMap(x)"
    many = FeatureMap(*[Feature(f"f{k}", f"obs[{k}]") for k in range(30)])
    assert repr(many) == "FeatureMap(f0, f1, f2, f3, f4, f5, f6, f7, and 22 more)"
    actions = Actions((Action("left", 0),))
    task = declare(conditions={"far": "x > 1"}, success="x > 2", actions=actions)
    assert repr(task) == (
        "Task('Walk.', FeatureMap(x), conditions=['far'], success='x > 2', actions=...)"
    )
    assert len(repr(declare(description="a " * 10_000))) < 200
    assert repr(Signal()) == "<Signal none: nothing (the base reward alone)>"
    signal = Signal(terms=(NEAR,), expert=GO)
    assert repr(signal).startswith(f"<Signal {signal.id}: 0.5 * bonus[x < 0.2] + an")
    run = Run(declare(), tmp_path / "run")
    run.close()
    assert repr(run) == f"Run({run.task!r}, {str(tmp_path / 'run')!r})"


def test_a_notebook_shows_tables_whose_texts_are_escaped(tmp_path: Path) -> None:
    signal = Signal(terms=(NEAR,), expert=GO, define={"near_it": "x < 0.1"}, fade=0.5)
    html = signal._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 3
    assert "<td>x &lt; 0.2</td>" in html
    assert "<td>left</td><td>x &gt; 0.5</td><td>all</td>" in html
    assert "near_it" in html
    assert "50%" in html
    assert "base reward alone" in Signal()._repr_html_()
    run = Run(declare(description="<script>"), tmp_path / "run")
    assert "&lt;script&gt;" in run._repr_html_()
    assert "<script>" not in run._repr_html_()
    run.board.post(run.board.read().model_copy(update={"signal": signal}))
    assert "<td>x &lt; 0.2</td>" in run._repr_html_()
    run.close()
