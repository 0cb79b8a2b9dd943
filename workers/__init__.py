"""The flow: one package per worker. `worker.py` says what is read, what is called and what is written."""
