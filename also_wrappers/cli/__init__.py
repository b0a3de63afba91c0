"""The command line: ``also-wrappers``."""

from also_wrappers.cli.app import main

__all__ = ["main"]
