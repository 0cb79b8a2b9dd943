"""Makes the demo's own base model and first adapter from the simulated press alone: `python -m training.demo_model`.

tokenizer (words of the press, bytes for the rest) -> lessons (conversations about articles) -> base (a tiny Llama)
-> adapter (version v1: the careless titles that prompt v1 would have brought) -> report (what both can do).
"""
