"""The wheel: it holds the templates and works outside the checkout."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

CHECK = """
import pathlib, also_wrappers
from also_wrappers.rendering import render
assert "site-packages" in also_wrappers.__file__, also_wrappers.__file__
assert pathlib.Path(also_wrappers.__file__).with_name("py.typed").exists()
print(render("repair.j2", problems=["too long"], answer="x"))
"""


@pytest.mark.slow
def test_a_wheel_renders_a_template_in_a_clean_environment(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--outdir",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", str(wheel)]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*install, *constraints], check=True, capture_output=True)
    result = subprocess.run(
        [str(python), "-c", CHECK],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "too long" in result.stdout
    script = tmp_path / "env" / "bin" / "also-wrappers"
    refused = subprocess.run(
        [str(script), "demo"], capture_output=True, text=True, cwd=tmp_path
    )
    assert refused.returncode == 2
    assert "pip install 'also-wrappers[sb3]'" in refused.stderr
    assert "Traceback" not in refused.stderr
