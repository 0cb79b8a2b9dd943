"""`python -m copydesk`: the same as the `copydesk` command."""

from __future__ import annotations

from copydesk.main import main

if __name__ == "__main__":
    main()
