"""Text that a person can read."""

from typing import ClassVar

from pydantic import Field
from pyspark.sql import Column

from lsml_spark.quality.check import RowCheck

# not tab and line breaks; U+FFFD stands for bytes that were no text
CONTROL = r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}\x{FFFD}-\x{FFFF}"

# UTF-8 read as Latin-1 or Windows-1252. There, bytes 80 to BF (which continue a character) are symbols and
# punctuation. Those that real text puts after a letter (quotes, dashes, a hard space) count only in the
# middle of a word.
SYMBOL = r"¡-ª¬-º¼-¿€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ"
QUOTE = r"\x{A0}«»‘’“”–—…"
MOJIBAKE = "|".join(
    (
        rf"(?<=\p{{Ll}})[Â-ÖØ-Þ][{SYMBOL}{QUOTE}]",  # cafÃ©, bÅ‚Ä…d: a capital inside a word, then a symbol
        r"Ã[¡-©¬\x{AD}¯-¹¼-¿€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜š›œžŸ]|Ã[ªº®™](?=\p{L})",  # Ã‰cole, SÃ£o, PÃªra
        rf"(?<!\p{{Lu}})Ä[{SYMBOL}]",  # Ä°zmir
        rf"á[º»][{SYMBOL}]",  # Tiáº¿ng
        r"(?<!\p{Lu})Å[¡-ª¬-±´-¶¸-º¼-¿€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ]",  # Å½ilina; but Å² and Å·mol are ångström
        r"(?<!\p{L})[ÃÅ][‘’“”–](?=\p{L})",  # Ã–sterreich, Å“uvre
        r"(?<!\p{Lu})Â[\x{A0}¡-¿]",  # Â£5, 20Â°C
        rf"(?:[ÂÎÏÐÑ×ØÙ][{SYMBOL}{QUOTE}]){{2}}",  # Greek, Cyrillic, Hebrew, Arabic
        rf"â[€‚„ˆ†‡‰‹Œ•˜™š›œžŸŽƒ][{SYMBOL}{QUOTE}]",  # donâ€™t, â‚¬, â„¢
        rf"(?:[ã-ï][{SYMBOL}{QUOTE}]{{2}}){{2}}",  # Chinese, Japanese, Korean
        "ï»¿|ï¿½|ðŸ",  # a byte order mark, a replacement character, an emoji
    )
)


class Readable(RowCheck):
    """The text is no garbage: no control characters, no U+FFFD, no UTF-8 that was read as Latin-1 or
    Windows-1252, no long run of one character. NULL and empty text are kept.

    Fields:
        repeats: so many equal characters in a row are garbage; 0 switches this off.
        allow: characters that may be repeated: by default white space, digits, and what people draw lines
            with.
    """

    repeats: int = Field(6, ge=0)
    allow: str = " \t\n\r\u00a0.-_=*#~0123456789"

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return "garbage text"

    def violated(self) -> Column:
        return self.value.cast("string").rlike(self.pattern)

    @property
    def pattern(self) -> str:
        """One regular expression of Java for all of it, so that the text is scanned in one go."""
        garbage = f"[{CONTROL}]|{MOJIBAKE}"
        if not self.repeats:
            return garbage
        allowed = "".join(rf"\x{{{ord(character):X}}}" for character in self.allow)
        one = f"[^{allowed}]" if allowed else r"[\s\S]"
        return rf"{garbage}|({one})\1{{{self.repeats - 1},}}"
