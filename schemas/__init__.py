"""The facts: events, topics, their wire format and the tables. Imports nothing of ours."""
