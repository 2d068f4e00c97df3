# Who an agent works for: Claude Code, Codex, Gemini CLI and Copilot CLI put these on what they send.
# The gate asks under PRODUCT/USER as well, so that a command written for this name meets the agent.
export OTEL_RESOURCE_ATTRIBUTES="enduser.id=$(id -un),tenant=@{tenant}${OTEL_RESOURCE_ATTRIBUTES:+,$OTEL_RESOURCE_ATTRIBUTES}"
