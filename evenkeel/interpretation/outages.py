"""When a server answers too little for a result to stand."""

from collections import Counter
from collections.abc import Sequence

from evenkeel.errors import BadInputError
from evenkeel.interpretation.records import TRANSIENT, Failure
from evenkeel.interpretation.replies import Reply
from evenkeel.params import ChatParams


def require_answers(
    outcomes: Sequence[Reply | Failure], params: ChatParams, setting: str = "interpretation.backend"
) -> None:
    """Refuse outcomes that the next run could better, or of which none is an answer.

    What fails for good is a result like any other: a request that the server rejects, or that its
    content filter stops. What may pass is one up to the share `max_failed_share` only. A server
    that answers nothing at all is broken or not set up, whatever it says; a single input that a
    content filter stops is not taken for that.

    Args:
        outcomes: of requests of one kind; those that the budget did not allow do not count.
        params: of the server.
        setting: the parameter that asks for the server, for messages.

    Raises:
        BadInputError: so that the stage fails and is run again, which asks for what is missing.
    """
    asked = [o for o in outcomes if isinstance(o, Reply) or o.kind != "budget"]
    failures = [outcome for outcome in asked if isinstance(outcome, Failure)]
    passing = [failure for failure in failures if failure.kind in TRANSIENT]
    share = len(passing) / max(len(asked), 1)
    if share > params.max_failed_share:
        raise BadInputError(
            f"{params.base_url}: {len(passing)} of {len(asked)} requests failed for a reason that "
            f"may pass ({most_frequent(passing)}), more than the share of "
            f"{params.max_failed_share:g} that interpretation.openai.max_failed_share allows; "
            "run again later: answers are kept, and only what is missing is asked and paid for"
        )
    is_one_filtered = len(failures) == 1 and failures[0].kind == "content_filter"
    if failures and len(failures) == len(asked) and not is_one_filtered:
        raise BadInputError(
            f"{params.base_url}: none of {len(asked)} requests was answered "
            f"({most_frequent(failures)}); check interpretation.openai, or set "
            f"{setting} to offline"
        )


def most_frequent(failures: Sequence[Failure]) -> str:
    """The message of most of the failures, of which there is one or more."""
    ((message, count),) = Counter(failure.message for failure in failures).most_common(1)
    return message if count == len(failures) else f"most often: {message}"
