"""What libraries may say on the terminal beside us."""

import os
import sys


def quiet_libraries() -> None:
    """Keep libraries to errors, and their bars to terminals; call it before they are imported.

    What the user has set in the environment stays.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it advises where all is well
    if not sys.stderr.isatty():  # bars are for people; a log gets lines
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")  # read when tqdm is imported, by a library
