"""WikiText-2 becomes plain texts: joined up, cut, and split by article."""

import pytest

from evenkeel.datasets.wikitext import HELD_OUT, LEAST_WORDS, PIECE_WORDS, wikitext_pieces


def article(number: int) -> str:
    sentences = " ".join(
        f"The ship 's captain number {number} , who was well @-@ known , paid $ 1 @,@ 200 for "
        f'" The Sea " ( part {part} ) .'
        for part in range(9)
    )
    rare = f"A <unk> stood in article {number} ."
    return f" = Title {number} = \n \n = = Section = = \n \n {sentences} {rare} \n Short one . \n"


TEXT = "\n".join(article(number) for number in range(2 * HELD_OUT))


def test_tokens_are_joined_up_as_people_write() -> None:
    train, _ = wikitext_pieces(TEXT, seed=0)
    first = next(text for text in train if "number 0," in text and "(part 0)" in text)
    assert first.startswith(
        'The ship\'s captain number 0, who was well-known, paid $1,200 for "The Sea" (part 0).'
    )
    assert not any("@" in text or "<unk>" in text or "=" in text for text in train)


def test_no_article_is_on_both_sides_and_every_piece_has_its_length() -> None:
    train, held_out = wikitext_pieces(TEXT, seed=0)

    def articles(texts: list[str]) -> set[str]:
        return {text.split("number ")[1].split(",")[0] for text in texts}

    assert articles(held_out) == {str(HELD_OUT - 1), str(2 * HELD_OUT - 1)}
    assert not articles(train) & articles(held_out)
    for text in train + held_out:
        assert LEAST_WORDS <= len(text.split()) < 2 * PIECE_WORDS


def test_the_seed_decides_the_order_and_nothing_else() -> None:
    first, again, other = (wikitext_pieces(TEXT, seed=seed)[0] for seed in (0, 0, 1))
    assert first == again != other
    assert sorted(first) == sorted(other)


@pytest.mark.parametrize("inside", list("\u2028\u2029\x85\x0b\x0c\x1c\r"))
def test_no_character_but_a_line_feed_ends_a_paragraph(inside: str) -> None:
    text = TEXT.replace("captain number", f"captain{inside}number")
    assert wikitext_pieces(text, seed=0)[0] == [
        piece.replace("captain number", f"captain{inside}number")
        for piece in wikitext_pieces(TEXT, seed=0)[0]
    ]
