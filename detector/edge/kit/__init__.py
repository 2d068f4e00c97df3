"""The kit: what an agent's program calls so that its acts arrive as events without what it read or wrote.

`recorder` is the core; `langchain`, `mcp`, `openai_agents` and `pydantic_ai` feed it from those libraries, and each is
imported only by who has the library.
"""
