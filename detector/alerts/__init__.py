"""From a session's score to an incident: budget, folding and the explanation."""
