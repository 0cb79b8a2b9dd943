"""The judgement: what a good title is. Pure functions of values; imports nothing of ours but `schemas`."""
