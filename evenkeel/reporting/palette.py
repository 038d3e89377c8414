"""The colours of page and figures, each named by what it says."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Palette:
    """Hex colours. Told apart by people with any colour vision, and no hint at a gender."""

    paper: str
    ink: str
    muted: str
    line: str
    before: str
    """The model as it is."""
    after: str
    """The steered model."""
    chosen: str
    """What was selected."""


LIGHT = Palette(
    paper="#fdfcf9",
    ink="#20242a",
    muted="#626a73",
    line="#dcd8cf",
    before="#b4530f",
    after="#0b6e6b",
    chosen="#6b3fa0",
)
DARK = Palette(
    paper="#15181b",
    ink="#e8e4da",
    muted="#a2a8ae",
    line="#363b40",
    before="#f0a562",
    after="#5cc7bb",
    chosen="#c2a1ee",
)

# Stand-ins that no figure uses otherwise: an inline SVG refers to the page's variables in their
# place, and so follows it from light to dark.
PLACEHOLDERS = Palette(*(f"#0{index}0{index}0{index}" for index in range(1, 8)))


def css_variables(palette: Palette) -> str:
    """CSS declarations of the palette's colours."""
    return " ".join(f"--{name}: {color};" for name, color in _named(palette))


def with_variables(svg: str) -> str:
    """An SVG drawn in PLACEHOLDERS, its colours replaced by the page's variables."""
    for name, color in _named(PLACEHOLDERS):
        svg = svg.replace(color, f"var(--{name})")
    return svg


def with_palette(svg: str, palette: Palette) -> str:
    """An SVG drawn in PLACEHOLDERS, in the colours of a palette."""
    for (_, stand_in), (_, color) in zip(_named(PLACEHOLDERS), _named(palette), strict=True):
        svg = svg.replace(stand_in, color)
    return svg


def _named(palette: Palette) -> list[tuple[str, str]]:
    return [(field.name, getattr(palette, field.name)) for field in fields(palette)]
