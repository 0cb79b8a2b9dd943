"""What a failure means for the message at hand. The verdict is the type:

Exception
├── Mendable     a person can mend it: the command line tells it in one sentence
│   ├── Invalid      the input can never succeed: no retry, dead letter now
│   └── Transient    the world is in the way: retry with back-off, then dead letter
│       └── Unavailable   a part we need is down or full: wait for it, however long, and bury nothing
└── anything else: a defect. The worker stops loudly with nothing acknowledged.
"""

from __future__ import annotations


class Mendable(Exception):
    """Trouble whose message says all that is needed to mend it; a traceback would only hide it."""


class Invalid(Mendable):
    """The input is wrong and stays wrong; the message says what is wrong with it in words a person can act on."""


class Transient(Mendable):
    """Something outside is down, slow or full; the same input may succeed later."""


class Unavailable(Transient):
    """A part that every message needs (model server, database, broker) is down or full: no message is to blame."""

    def __init__(self, message: str = "", *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """Sooner than this the part does not want to be asked again."""
