"""Decides when to train, runs the training, holds it to the gate, promotes; writes `adapters`."""
