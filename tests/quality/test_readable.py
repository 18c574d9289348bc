import re

import pytest

from lsml_spark.quality.check import RowCheck, parse

pytestmark = pytest.mark.spark

# One sentence or some words per language, with the letters that set it apart.
REAL = {
    "French": "Ça déjà vu : « À Noël, l’œuvre d’un maître coûte 5 € », dit-elle — ÂGE, CAFÉ, naïve, où, 20 "
    "°C, n° 3",
    "German": "Größe, Straße, „Spaß“, Fuß… »Ärger« – ÖSTERREICH, ÜBER, Müller’s Äpfel, GROẞ",
    "Portuguese": "São Paulo, MAÇÃ, “IRMÔ, AMANHÃ… coração, não, NÃO – avô, à vontade, É»",
    "Spanish": "¿Qué? ¡Año nuevo! Niño, pingüino, Ñandú, 1ª, 2º, «España»",
    "Swedish": "Ångström 5 Å, 3 Å², smörgås, Åse – Ärlig… ”Ö”",
    "Danish": "Rødgrød med fløde, ÆBLE, Øresund, »Århus«",
    "Polish": "Zażółć gęślą jaźń, „Łódź” – ŻÓŁĆ, śnieg, Ćma",
    "Czech": "Příliš žluťoučký kůň úpěl ďábelské ódy, Žilina",
    "Turkish": "İstanbul, ığdır, Çağlar’ın şişesi, Âşık, kâğıt",
    "Romanian": "Țară, „înghețată”, România, câine, ÎN, ȘI",
    "Hungarian": "Árvíztűrő tükörfúrógép – ŐSZ",
    "Vietnamese": "Tiếng Việt, Ân, CÂU… đặc biệt, Â",
    "Icelandic": "Þetta er íslenska, Ðað, ÆÐI",
    "Greek": "Ελληνικά, «Ωμέγα»",
    "Russian": "Привет, «мир» — Ёлка",
    "Hebrew": "שלום עולם",
    "Arabic": "مرحبا بالعالم",
    "Chinese": "中文，你好。",
    "Japanese": "日本語のテキスト「はい」",
    "Korean": "한국어 텍스트",
    "Hindi": "हिन्दी",
    "English": "It’s “fine” – 100% … 5×½, 2×¼, £5, ©2011, 3µm ±2, don't! T-LIGHT HOLDER 85123A",
    "symbols": "😀👍 ½ ¾ → ≤ √2 …… --- *** 1000000 tab\tand\nline",
}
LEGACY = ("latin-1", "cp1252")


def misread(text: str, encoding: str) -> str | None:
    """UTF-8 bytes as a program reads them that takes them for another encoding; None where it would raise."""
    try:
        return text.encode().decode(encoding)
    except UnicodeDecodeError:
        return None


def test_text_in_many_languages_is_readable(violated):
    words = sorted({word for text in REAL.values() for word in re.split(r"[ \n]+", text)})
    for values in (
        [*REAL.values()],
        words,
        [word.upper() for word in words],
        [word.lower() for word in words],
    ):
        wrong = [
            value for value, bad in zip(values, violated("readable", "string", values), strict=True) if bad
        ]
        assert wrong == []


def test_words_that_were_misread_are_found(violated):
    words = sorted({word for text in REAL.values() for word in text.split(" ") if not word.isascii()})
    pairs = [(word, misread(word, encoding)) for word in words for encoding in LEGACY]
    pairs = [(word, garbled) for word, garbled in pairs if garbled is not None]
    found = violated("readable", "string", [garbled for _, garbled in pairs])
    missed = [pair for pair, bad in zip(pairs, found, strict=True) if not bad]
    assert len(missed) <= 0.03 * len(pairs), missed
    texts = [garbled for text in REAL.values() for encoding in LEGACY if (garbled := misread(text, encoding))]
    assert all(violated("readable", "string", texts))


def test_what_is_often_seen_is_found(violated):
    values = [
        "cafÃ©",
        "donâ€™t",
        "â€œquotedâ€\x9d",
        "â‚¬5",
        "Ã‰cole",
        "Â£5",
        "ï»¿first",
        "Zürï¿½ch",
        "Å›nieg",
        "ÐŸÑ€Ð¸Ð²ÐµÑ‚",
        "æ—¥æœ¬",
        "ðŸ˜€",
        "brandâ„¢",
        "Z\ufffdrich",
    ]
    assert violated("readable", "string", values) == [True] * len(values)


def test_control_characters_are_found_and_white_space_is_none(violated):
    control = [chr(code) for code in [*range(1, 32), *range(127, 160)]]
    expected = [character not in "\t\n\r" for character in control]
    assert violated("readable", "string", [f"a{character}b" for character in control]) == expected


def test_a_long_run_of_one_character_is_found(violated):
    values = [
        "a" * 5,
        "a" * 6,
        "?" * 6,
        "xx" + "!" * 9,
        "😀" * 6,
        "漢" * 7,
        "-" * 40,
        "." * 9,
        " " * 30,
        "1000000000",
        "abababababab",
        "",
        None,
    ]
    expected = [bool(value and re.search(r"([^\s\d.\-_=*#~])\1{5}", value)) for value in values]
    assert violated("readable", "string", values) == expected
    assert violated(
        {"readable": {"repeats": 3, "allow": ""}}, "string", ["aa", "aaa", "...", "]]]", "\n\n\n"]
    ) == [
        False,
        True,
        True,
        True,
        True,
    ]
    assert violated(
        {"readable": {"repeats": 2, "allow": "]^\\-a"}}, "string", ["]]", "^^", "\\\\", "--", "aa", "bb"]
    ) == [False] * 5 + [True]
    assert violated({"readable": {"repeats": 0}}, "string", ["a" * 50, "a\x00"]) == [False, True]


def test_numbers_can_be_looked_at_too(violated):
    assert violated("readable", "int", [1, None, 1111111]) == [False, False, False]


def test_the_rule_is_named_in_words():
    assert parse("readable", RowCheck, column="Description").label == "Description: garbage text"
