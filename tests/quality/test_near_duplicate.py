import io
import random

import numpy as np
import pytest
from hooks import frame_of, judge
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import MultiLabelBinarizer
from tiny_media import clothing, image_bytes

from lsml_spark.media import image_hash
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.quality.figures import minhash

pytestmark = pytest.mark.spark
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "seven",
    "grey",
    "cats",
    "watch",
    "from",
    "an",
    "old",
    "garden",
    "wall",
    "in",
    "the",
    "rain",
]


def shingles(text, size=5, words=0):
    text = " ".join(text.lower().split())
    units = text.split(" ") if words else text
    size = words or size
    return {tuple(units[i : i + size]) for i in range(max(1, len(units) - size + 1))}


def repeats(texts, similarity, words=0):
    """Brute force: whether an earlier text has that Jaccard similarity, by scikit-learn."""
    there = [i for i, text in enumerate(texts) if text is not None and text.strip()]
    members = MultiLabelBinarizer().fit_transform([shingles(texts[i], words=words) for i in there])
    similar = 1 - pairwise_distances(members.astype(bool), metric="jaccard") >= similarity - 1e-9
    found = [False] * len(texts)
    for a, i in enumerate(there):
        found[i] = bool(similar[a, :a].any())
    return found


def variants(seed, number=45):
    """Sentences and slightly changed copies of them."""
    draw = random.Random(seed)
    texts = []
    for _ in range(number):
        if texts and draw.random() < 0.5:
            text = list(draw.choice(texts))
            for _ in range(draw.choice([0, 1, 2, 6])):
                text[draw.randrange(len(text))] = draw.choice("xyz ")
            texts.append("".join(text))
        else:
            texts.append(" ".join(draw.choices(WORDS, k=18)))
    return texts


@pytest.mark.parametrize(("item", "words"), [({"similarity": 0.8}, 0), ({"similarity": 0.6, "words": 2}, 2)])
def test_it_finds_the_texts_that_comparing_all_pairs_finds(spark, item, words):
    texts = [*variants(4), None, "", "  ", "cat", "Cat ", "THE  END", "the end"]
    found = judge(
        {"near_duplicate": {"text": "a.b", **item}},
        frame_of(spark, "`a.b` string", [(text,) for text in texts]),
    )
    assert found == repeats(texts, item["similarity"], words)
    assert 5 < sum(found) < len(texts) - 10


def test_the_answer_does_not_depend_on_the_partitioning(spark):
    texts = [(text,) for text in variants(9)]
    answers = [
        judge({"near_duplicate": {"text": "t"}}, frame_of(spark, "t string", texts, partitions=n))
        for n in (1, 5)
    ]
    assert answers[0] == answers[1]


def test_nothing_one_row_malformed_lines_and_rows_of_no_concern(spark):
    item = {"near_duplicate": {"text": "t"}}
    assert judge(item, frame_of(spark, "t string", [])) == []
    lines = [("1.csv", 2, "corrupt"), ("1.csv", 3, None), ("2.csv", 2, None)]
    rows = [("a b c", 1), ("a b c", 0), ("a b c", 1)]
    frame = frame_of(spark, "t string, w int", rows, lines)
    assert judge(item, frame) == [False, False, True]
    assert judge({**item, "where": "w = 1"}, frame) == [False, False, False]


def test_a_bucket_that_everything_shares_stays_small(spark):
    texts = [("one and the same long beginning that all of them share " + str(i),) for i in range(120)]
    found = judge({"near_duplicate": {"text": "t", "similarity": 0.7}}, frame_of(spark, "t string", texts))
    assert found == [False] + [True] * 119


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8, 0.9, 0.95, 1.0])
def test_bands_miss_one_pair_in_a_thousand_at_the_threshold(similarity):
    number, rows = minhash.bands(similarity)
    assert number * rows <= minhash.MOST
    assert (1 - similarity**rows) ** number <= max(minhash.MISS, (1 - similarity) ** minhash.MOST)


def test_sets_share_a_bucket_as_often_as_theory_says():
    draw = np.random.default_rng(2)
    share = 0.8
    number, rows = minhash.bands(0.9)
    together, trials = 0, 400
    for _ in range(trials):
        elements = draw.integers(-(2**63), 2**63, 120)
        one, other = elements[:108], elements[12:]  # 96 of 120 are in both
        found = minhash.buckets(np.concatenate([one, other]), np.array([0, 108]), 0.9)
        together += bool((found[0] == found[1]).any())
    expected = 1 - (1 - share**rows) ** number
    assert together / trials == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / trials))


def changed(data, **options):
    Image = pytest.importorskip("PIL.Image")
    image, stored = Image.open(io.BytesIO(data)).convert("RGB"), io.BytesIO()
    scale = options.pop("scale", 1)
    image.resize((int(image.width * scale), int(image.height * scale))).save(stored, "JPEG", **options)
    return stored.getvalue()


def test_an_image_that_was_scaled_or_recompressed_is_found(spark):
    pictures = [image_bytes(seed, (96, 80)) for seed in range(6)]
    copies = [
        changed(pictures[0], quality=40),
        changed(pictures[3], scale=2),
        changed(pictures[3], scale=0.5),
    ]
    rows = [*pictures, *copies, b"no image", None, b"no image", None]
    found = judge({"near_duplicate": {"image": "v"}}, frame_of(spark, "v binary", [(row,) for row in rows]))
    assert found == [False] * 6 + [True] * 3 + [False] * 4


@pytest.mark.parametrize("bits", [0, 3, 8])
def test_hashes_within_so_many_bits_share_a_bucket(bits):
    draw = random.Random(bits)
    for _ in range(200):
        value = draw.getrandbits(64)
        other = value
        for position in draw.sample(range(64), bits):
            other ^= 1 << position
        assert set(image_hash.buckets(value, bits)) & set(image_hash.buckets(other, bits))
        assert all(-(2**63) <= bucket < 2**63 for bucket in image_hash.buckets(value, bits))


def test_different_photographs_are_not_taken_for_each_other_and_copies_are_found(shared_data):
    photographs = clothing(shared_data, 80)
    hashes = [image_hash.image_hash(data, 10**8) for data in photographs]
    apart = min(((a ^ b) & (2**64 - 1)).bit_count() for i, a in enumerate(hashes) for b in hashes[:i])
    assert apart > 4
    copies = [image_hash.image_hash(changed(data, quality=40, scale=0.5), 10**8) for data in photographs[:20]]
    assert all(((a ^ b) & (2**64 - 1)).bit_count() <= 4 for a, b in zip(hashes, copies, strict=False))


@pytest.mark.parametrize(
    "fields", [{}, {"text": "a", "image": "b"}, {"text": "a", "similarity": 0.1}, {"image": "a", "bits": 30}]
)
def test_either_text_or_image_is_compared(fields):
    with pytest.raises(ValueError, match=r"text|similarity|bits"):
        parse({"near_duplicate": fields}, RowCheck)


def test_the_stage_quarantines_all_but_the_first(check_day, raw_day):
    rule = {"near_duplicate": {"text": "t", "similarity": 0.8}, "on_bad": "quarantine"}
    path = raw_day(
        [
            "t",
            "white hanging heart t-light holder",
            "red retrospot bag",
            "White hanging heart t-light holders",
        ]
    )
    day = check_day({"t": "string"}, path, rows=[rule])
    assert [row["_line"] for row in day.quarantine] == [4]
