"""Connects language models of several servers behind one protocol."""

from also_wrappers.advisors.llm.models.base import ChatModel, Reply

__all__ = ["ChatModel", "Reply"]
