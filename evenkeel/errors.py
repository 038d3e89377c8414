"""The one error that a user's input can cause."""


class BadInputError(ValueError):
    """Something a user gave is wrong: the message says what, where, and what to do.

    Stages and the command line print the message on stderr and exit with status 2; every other
    exception is a fault of ours and keeps its traceback.
    """
