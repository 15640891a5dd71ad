"""What the server that forks our worker processes loads. Nothing else imports this.

The server starts with Ctrl-C blocked, for it would die of one while it loads, and say so. Loading
this module ends with what is then pending forgotten and Ctrl-C let in again; the server goes on to
ignore it, and what it forks for others finds everything as usual.
"""

import signal

import hpcourse.search  # noqa: F401  # the workers need it

if hasattr(signal, "pthread_sigmask"):
    if signal.SIGINT in signal.sigpending():
        signal.sigwait({signal.SIGINT})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
