"""Slack: Socket Mode in, the Web API out."""

from adapters.slack.adapter import SlackAdapter

__all__ = ["SlackAdapter"]
