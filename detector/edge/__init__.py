"""Enforcement at the agent: what holds, asked by a hook before each tool call; imports `schema` and nothing heavy."""
