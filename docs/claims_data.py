"""What was measured of reading, writing, counting and verifying; a goal that was missed is said to be."""

import math
from typing import Any

from claim import Claim, result

SHAPES = {
    "tabular": "39 numbers",
    "dense": "256 float32",
    "images": "28×28 bytes",
    "ragged": "lists",
    "strings": "texts",
    "jpeg": "JPEG 224²",
}
PLANS = ("count + select, plans", "count + sampleBy, plans", "count + row_number, plans")
WRITTEN = "zipf + select stages"
COUNTED = {  # rows of benchmarks/select_speed.py
    "scan": "a plain scan",
    PLANS[0]: "lsml_spark, count and select",
    PLANS[1]: "count and `sampleBy`",
    PLANS[2]: "count and `row_number()`",
    WRITTEN: "lsml_spark, the same, written",
    "zipf stage + sampleBy, Parquet": "count and `sampleBy`, written",
    "zipf stage + row_number, Parquet": "count and `row_number()`, written",
}


def rate(reader: dict[str, Any]) -> str:
    """Thousand rows a second, or what was in the way."""
    found = reader.get("rows_per_second")
    return "–" if found is None else f"{found / 1000:,.0f}" if found >= 10_000 else f"{found / 1000:.1f}"


def reading() -> Claim:
    found = result("loading")
    peers = {
        "lsml": "lsml_spark",
        "petastorm BatchedDataLoader, shuffled": "petastorm 0.12.1, its own layout",
        "petastorm BatchedDataLoader, shuffled, our shards": "petastorm on our shards",
        "TensorDataset, permuted index": "TensorDataset in memory",
        "limit: pyarrow read": "limit: pyarrow reads, nothing else",
    }
    shapes = found["shapes"]

    def speed(shape: str, name: str) -> float:
        return float(shapes[shape]["readers"][name]["rows_per_second"])

    ours, theirs = (speed("tabular", name) for name in list(peers)[:2])
    worst = min(
        speed(shape, "lsml") / speed(shape, list(peers)[1])
        for shape in ("tabular", "dense", "images", "ragged")
    )
    first = found["first_batch_of_10000_shards"]
    return Claim(
        "reading",
        "Reading shuffled batches",
        f"The reader gives {ours / 1e6:.1f} million shuffled rows of 39 numbers a second, petastorm's "
        "BatchedDataLoader "
        f"{theirs / 1e6:.2f} million; on every shape that becomes tensors it is at least {math.floor(worst)} "
        "times as fast.",
        [["thousand rows a second", *(SHAPES[shape] for shape in shapes)]]
        + [
            [text, *(rate(shapes[shape]["readers"][name]) for shape in shapes)]
            for name, text in peers.items()
        ],
        "thousand rows a second, 39 numbers a row",
        [(text, speed("tabular", name) / 1000) for name, text in peers.items()],
        found,
        "JPEGs cost their decoding, which is Pillow's for everybody, and texts become Python objects for "
        "everybody, so there is "
        f"little to gain on either. On 10,000 shards the first batch of arrays comes {first['arrays']:.2f} s "
        "after the start of the "
        f"process, the first tensors after {first['tensors']:.2f} s, of which {first['torch']:.2f} s are "
        "`import torch`.",
    )


def streams() -> Claim:
    found = result("loading_peers")
    peers = {
        "lsml": "lsml_spark",
        "datasets, iterable, shuffled": "Hugging Face datasets, iterable",
        "LitData, shuffled": "LitData",
        "MosaicML streaming, shuffled": "MosaicML streaming",
        "WebDataset, shuffled": "WebDataset",
    }
    shapes = found["shapes"]

    def times(shape: str, name: str) -> float:
        readers = shapes[shape]["readers"]
        return float(readers["lsml"]["rows_per_second"] / readers[name]["rows_per_second"])

    hf, mosaic = (times("tabular", name) for name in list(peers)[1:4:2])
    return Claim(
        "streams",
        "Against libraries that stream",
        f"Hugging Face's iterable datasets, the fastest of the streaming libraries, are {hf:.0f} times "
        "slower than our reader on "
        f"numbers and {times('strings', list(peers)[1]):.1f} times on texts; MosaicML streaming is "
        f"{round(mosaic, -1):,.0f} times slower "
        "on numbers.",
        [["thousand rows a second", *(SHAPES[shape] for shape in shapes)]]
        + [
            [text, *(rate(shapes[shape]["readers"].get(name, {})) for shape in shapes)]
            for name, text in peers.items()
        ],
        "thousand rows a second, 39 numbers a row; the scale is logarithmic",
        [
            (text, shapes["tabular"]["readers"][name]["rows_per_second"] / 1000)
            for name, text in peers.items()
        ],
        found,
        "Every library shuffles a buffer of 10,000 rows and has the rows in its own format. All but Hugging "
        "Face's hand out rows "
        "one by one, in Python. Ray Data gave no batch within 68 s.",
        log=True,
    )


def select_on_spark() -> Claim:
    found = result("select_speed")
    one_key = result("select_speed_one_key")
    figures = found["sets"]["names"]["figures"]
    rows = found["sets"]["names"]["rows"]
    ours, sample_by, row_number = (figures[name]["of_two_scans_cpu"] for name in PLANS)
    skewed = next(iter(one_key["sets"].values()))["figures"]
    return Claim(
        "select_on_spark",
        "Counting and selecting on Spark",
        f"Counting the keys of {rows / 1e6:.0f} million rows and selecting half of them costs {ours:.1f} "
        "times two plain scans, "
        f"Spark's own `sampleBy` {sample_by:.1f}, `row_number()` per key {row_number:.1f}; with the rows "
        "written it is "
        f"{figures[WRITTEN]['of_two_scans_cpu']:.1f} (goal 1.5: missed).",
        [["what", "seconds", "CPU seconds", "× two scans, CPU"]]
        + [
            [
                text,
                f"{figures[name]['seconds']:.1f}",
                f"{figures[name]['cpu']:.1f}",
                f"{figures[name]['of_two_scans_cpu']:.2f}",
            ]
            for name, text in COUNTED.items()
        ],
        "CPU time, two plain scans being 1",
        [(COUNTED[name].replace("`", ""), figures[name]["of_two_scans_cpu"]) for name in PLANS],
        found,
        "The peers are given the counts and the rates at no cost. With half of all rows on one key the same "
        "plan costs "
        f"{skewed[PLANS[0]]['of_two_scans_cpu']:.2f} of two scans, since no row is shuffled.",
    )


def writing() -> Claim:
    found = result("shard_write")
    sets = {"tabular": "39 numbers", "ragged": "lists", "dense": "256 float32"}
    names = {
        "ours: write": "lsml_spark, the write",
        "ours: whole stage": "lsml_spark, the whole stage",
        "spark, same shuffle": "Spark's writer, same shuffle",
        "spark": "Spark's writer, no shuffle",
    }

    def speed(kind: str, name: str) -> float:
        return float(found["sets"][kind]["figures"][name]["speed_of_spark_seconds"])

    return Claim(
        "writing",
        "Writing shards",
        f"Shards of numbers are written {speed('tabular', 'ours: write'):.1f} times as fast as by Spark's "
        "own Parquet writer behind the "
        f"same shuffle, shards of lists at {speed('ragged', 'ours: write'):.2f} of its speed.",
        [["speed, Spark's writer behind the same shuffle being 1", *sets.values()]]
        + [[text, *(f"{speed(kind, name):.2f}" for kind in sets)] for name, text in names.items()],
        "speed, 39 numbers a row, Spark's writer behind the same shuffle being 1",
        [(text, speed("tabular", name)) for name, text in names.items()],
        found,
        "The whole stage also plans the order, measures every column, hashes every row and compares splits.",
    )


def verifying() -> Claim:
    found = result("verify")
    warm = "lsml verify, warm"
    return Claim(
        "verify",
        "Verifying",
        f"`lsml verify` reads shards in the page cache at {found['xxh128'][warm]:.1f} GB/s with xxh128, and "
        "at "
        f"{found['sha256'][warm]:.2f} GB/s with the usual sha256.",
        [["GB/s", "in the page cache", "from the disk"]]
        + [
            [f"{text}, {hash}", *(f"{found[hash][f'{name}, {state}']:.2f}" for state in ("warm", "cold"))]
            for hash in ("xxh128", "sha256")
            for name, text in (
                ("lsml verify", "`lsml verify`"),
                ("bare hash, one thread", "the hash alone, one thread"),
            )
        ],
        "GB/s in the page cache",
        [(f"lsml verify, {hash}", found[hash][warm]) for hash in ("xxh128", "sha256")],
        found,
    )


def scale() -> Claim:
    (found,) = result("select_scale_large")["large"]
    memory = result("select_scale")["memory"]
    more = [
        many["heap"] - few["heap"]
        for few, many in zip(memory[0]["select"], memory[-1]["select"], strict=True)
    ]
    return Claim(
        "scale",
        "Many keys",
        f"{found['rows'] / 1e6:.0f} million rows with {found['keys'] / 1e6:.1f} million keys are counted in "
        f"{found['zipf']['seconds']:.0f} s and selected to half in {found['select'][0]['seconds']:.0f} s on "
        "two cores, while "
        f"the driver's Python holds "
        f"{found['select'][0]['python']:.0f} MB; a hundred times the keys cost its Java heap "
        f"{max(more):.0f} MB at most.",
        [["rows to keep", "rows kept", "rate of keys seen once", "seconds, written"]]
        + [
            [
                f"{x['budget']:,.0f}",
                f"{x['kept']:,}",
                f"{x['rate_of_keys_seen_once']:.4f}",
                f"{x['seconds']:.0f}",
            ]
            for x in found["select"]
        ],
        "largest Java heap of the driver while selecting, in MB, by number of keys",
        [(f"{x['keys']:,} keys", max(budget["heap"] for budget in x["select"])) for x in memory],
        result("select_scale_large"),
        in_readme=False,
    )


def shuffles() -> Claim:
    found = result("shuffle_quality")["rows written"]
    hashed, ordered = found["in hash order"], found["sorted by label"]
    return Claim(
        "shuffles",
        "How well the shuffles mix",
        "On shards, which are written in hash order, a batch's labels are "
        f"{hashed['buffer']['imbalance']:.3f} away from all labels under "
        f"`buffer`, and {hashed['full']['imbalance']:.3f} under a uniform permutation of all rows; on files "
        "that are sorted by label "
        f"it is {ordered['buffer']['imbalance']:.2f} against {ordered['full']['imbalance']:.3f}: those want "
        "`full`.",
        [["shuffle", "rows in hash order", "rows sorted by label"]]
        + [
            [f"`{name}`", f"{hashed[name]['imbalance']:.3f}", f"{ordered[name]['imbalance']:.3f}"]
            for name in hashed
        ],
        "distance of a batch's labels from all labels, rows sorted by label",
        [(name, ordered[name]["imbalance"]) for name in ("full", "buffer", "buffer, 1 lane", "none")],
        result("shuffle_quality"),
        "The distance is the total variation between the labels of 1,024 rows and ten labels that are "
        "equally frequent.",
        in_readme=False,
    )
