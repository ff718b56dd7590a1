"""The offline model: a deterministic planner that answers without any key. `agents.offline.model` is its door."""
