"""A simulated press on 127.0.0.1: the outside world of the demo and the tests, and said to be so wherever it shows."""
