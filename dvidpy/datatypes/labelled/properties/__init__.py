"""Settings that can be changed, and what is in memory: `routes` HTTP to values, `changes` what they mean."""
