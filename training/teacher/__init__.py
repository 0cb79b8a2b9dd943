"""A large model titles articles, so that a small one can learn from it: OpenAI's protocol, paid by the token.

`job.py` says what is asked and what it may cost, `client.py` asks once, `single.py` and `batches.py` ask until there is
an answer to everything, `ledger.py` remembers all of it over any number of kills, `label.py` makes the data set.
"""

from training.teacher.client import CannotLabel
from training.teacher.job import TeacherPrompt, find_prompt
from training.teacher.label import Labelled, Order, Outlook, label, look_ahead

__all__ = ["CannotLabel", "Labelled", "Order", "Outlook", "TeacherPrompt", "find_prompt", "label", "look_ahead"]
