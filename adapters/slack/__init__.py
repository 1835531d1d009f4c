"""Slack: Socket Mode in, the Web API out."""

from adapters.slack.adapter import SlackAdapter
from adapters.slack.probe import probe

__all__ = ["SlackAdapter", "probe"]
