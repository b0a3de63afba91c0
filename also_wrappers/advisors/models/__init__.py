"""Language models behind one protocol."""

from also_wrappers.advisors.models.base import ChatModel, Reply

__all__ = ["ChatModel", "Reply"]
