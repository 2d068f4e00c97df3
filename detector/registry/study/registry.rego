# Whether an act of an agent is inside of its entry. Data: `detector registry tighten --opa`, or `export --opa`.
# input: {"tenant", "agent_id", "at" (epoch seconds), and what the act uses of:
#         "tool", "target", "peer", "delegate", "data_class", "version", "model", "prompt_hash"}
package agent_registry_policy

default allow := false

entry := data.agent_registry[object.get(input, "tenant", "default")][input.agent_id]

# a proposed entry says what was seen and allows everything
allow if entry.lifecycle == "proposed"

allow if {
	entry.lifecycle == "active"
	count(outside) == 0
}

# what of the act nothing declares
outside contains used if {
	some used, list in entry.lists
	value := input[used]
	not matches(list, value)
	not lent(used, value)
}

matches(list, value) if value in list.names

matches(list, value) if {
	some pattern in list.patterns
	regex.match(pattern, value)
}

# a grant adds to the lists while its term runs
lent(used, value) if {
	some grant in entry.grants
	grant.granted_at <= input.at
	runs(grant)
	matches(grant.lists[used], value)
}

runs(grant) if grant.expires_at == null

runs(grant) if input.at < grant.expires_at
