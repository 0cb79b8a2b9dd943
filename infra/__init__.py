"""The ground: settings, stores, broker, model server, supervisor and the simulated press."""
