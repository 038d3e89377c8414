"""Messages never repeat credentials, wherever the URL in them came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.errors import BadInputError, without_credentials

word = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-._~%!$&*+,=", min_size=8, max_size=20)


@given(word, word, st.sampled_from(["https", "http", "s3", "ssh", "postgres+psycopg"]), st.data())
def test_no_part_of_a_secret_is_left(
    user: str, password: str, scheme: str, data: st.DataObject
) -> None:
    url = data.draw(
        st.sampled_from(
            [
                f"{scheme}://{user}:{password}@host.example/v1",
                f"{scheme}://{password}@host.example:8080/v1",
                f"{scheme}://host.example/v1?key={password}",
                f"{scheme}://host.example/v1#{password}",
                f"{scheme}://host.example?a=b&token={password}#x",
                f"{user}:{password}@host.example/v1",
            ]
        )
    )
    message = str(BadInputError(f"{url}: cannot be fetched ('{url}'); check {url!r}"))
    assert password not in message
    assert message.count("host.example") == 3, "where it was is still said"


@pytest.mark.parametrize(
    "message",
    [
        "https://api.openai.com/v1: HTTP 429: slow down; run again",
        "model.id 'openai-community/gpt2' at revision 'main': no such repository",
        "data/x.csv, line 3: expected id:label, found a:b",
        "someone@example.org is no path",
        "dvc.yaml:evaluate@gender has not run",
        "http://[::1]:8000/v1: cannot be reached",
    ],
)
def test_other_messages_stay_as_they_are(message: str) -> None:
    assert without_credentials(message) == message


def test_a_key_in_the_wrong_place_is_not_repeated() -> None:
    key = "sk-proj-THISisTHEsecretKEY0123456789abcdef"
    assert key not in str(BadInputError(f"model.id: no such model (given: {key!r})"))
