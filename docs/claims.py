"""What was measured, from benchmarks/results/*.json: of each claim a sentence that names a peer and both figures, a table and bars.

No figure is typed by hand; where a goal was missed, the sentence says so. `make_measured.py` makes pages of it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
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
TASKS = {
    "names_ngrams_1_pass": "names, one pass",
    "names_ngrams_3_passes": "names, three passes",
    "names_gru": "names, character GRU",
    "arxiv": "arXiv",
    "mnist": "long-tailed MNIST",
    "retail": "retail baskets",
}


@dataclass(frozen=True)
class Claim:
    """One thing that was measured."""

    name: str  # of its picture
    title: str
    sentence: str
    table: Sequence[Sequence[str]]  # the first row is its head
    axis: str
    bars: Sequence[tuple[str, float]]  # ours first
    source: dict[str, Any]  # the results file: `machine` and `command`
    more: str = ""  # what the sentence leaves out
    log: bool = False
    in_readme: bool = True


def result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPO / "benchmarks/results" / f"{name}.json").read_text())
    return found


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
    ours, theirs = (shapes["tabular"]["readers"][name]["rows_per_second"] for name in list(peers)[:2])
    worst = min(
        shapes[shape]["readers"]["lsml"]["rows_per_second"] / shapes[shape]["readers"][list(peers)[1]]["rows_per_second"]
        for shape in ("tabular", "dense", "images", "ragged")
    )
    first = found["first_batch_of_10000_shards"]
    return Claim(
        "reading",
        "Reading shuffled batches",
        f"The reader gives {ours / 1e6:.1f} million shuffled rows of 39 numbers a second, petastorm's BatchedDataLoader "
        f"{theirs / 1e6:.2f} million; on every shape that becomes tensors it is at least {math.floor(worst)} times as fast.",
        [["thousand rows a second", *(SHAPES[shape] for shape in shapes)]]
        + [[text, *(rate(shapes[shape]["readers"][name]) for shape in shapes)] for name, text in peers.items()],
        "thousand rows a second, 39 numbers a row",
        [(text, shapes["tabular"]["readers"][name]["rows_per_second"] / 1000) for name, text in peers.items()],
        found,
        "JPEGs cost their decoding, which is Pillow's for everybody, and texts become Python objects for everybody, so there is "
        f"little to gain on either. On 10,000 shards the first batch of arrays comes {first['arrays']:.2f} s after the start of the "
        f"process, the first tensors after {first['tensors']:.2f} s, of which {first['torch']:.2f} s are `import torch`.",
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
        f"Hugging Face's iterable datasets, the fastest of the streaming libraries, are {hf:.0f} times slower than our reader on "
        f"numbers and {times('strings', list(peers)[1]):.1f} times on texts; MosaicML streaming is {round(mosaic, -1):,.0f} times slower "
        "on numbers.",
        [["thousand rows a second", *(SHAPES[shape] for shape in shapes)]]
        + [[text, *(rate(shapes[shape]["readers"].get(name, {})) for shape in shapes)] for name, text in peers.items()],
        "thousand rows a second, 39 numbers a row; the scale is logarithmic",
        [(text, shapes["tabular"]["readers"][name]["rows_per_second"] / 1000) for name, text in peers.items()],
        found,
        "Every library shuffles a buffer of 10,000 rows and has the rows in its own format. All but Hugging Face's hand out rows "
        "one by one, in Python. Ray Data gave no batch within 68 s.",
        log=True,
    )


def training() -> Claim:
    found = result("train_speed")
    names = {"retail": "baskets", "tabular": "categories", "names": "n-grams"}
    ways = {"lsml, a lane a rank": "lsml_spark", "lsml, 8 lanes": "lsml_spark, same bits on any ranks"}
    peers = {"fabric": "Lightning Fabric", "accelerate": "Hugging Face Accelerate"}
    places = [(shape, world) for shape in names for world in ("1", "2")]

    def share(source: dict, name: str, shape: str, world: str) -> float | None:
        value = source["shapes"].get(shape, {})
        value = value.get("worlds", value).get(world, {}).get(name, {})
        return value.get("of_bare")

    def line(text: str, source: dict, name: str) -> list[str]:
        values = [share(source, name, *place) for place in places]
        return [text, *("–" if value is None else f"{value:.2f}" for value in values)]

    ours = [share(found, "lsml, a lane a rank", *place) or 0 for place in places]
    fabric = [share(found["peers"], "fabric", *place) or 0 for place in places[:4]]
    again = [found["shapes"][shape]["resume"]["seconds_to_train_again"] for shape in names]
    return Claim(
        "training",
        "Training against a bare loop",
        "Training from shards, with checkpoints and metrics, runs at "
        f"{min(ours[:4]):.2f} to {max(ours[:4]):.2f} of the speed of a bare PyTorch DDP loop in memory where a step takes 70 ms, and "
        f"at {min(ours[4:]):.2f} to {max(ours[4:]):.2f} where it takes 6 ms (goal 0.97: missed); Lightning Fabric, in memory, at "
        f"{min(fabric):.2f} to {max(fabric):.2f}.",
        [["bare PyTorch is 1", *(f"{names[shape]}, {world}" for shape, world in places)]]
        + [line(text, found, name) for name, text in ways.items()]
        + [line(text, found["peers"], name) for name, text in peers.items()],
        "speed on one rank, baskets, bare PyTorch being 1",
        [(text, share(found, name, "retail", "1") or 0) for name, text in ways.items()]
        + [(text, share(found["peers"], name, "retail", "1") or 0) for name, text in peers.items()]
        + [("bare PyTorch, in memory", 1.0)],
        found,
        "Baskets: `bag_mlp`, 2,765 labels. Categories: 26 of them, an MLP. N-grams: 20,000, logistic. The number behind a column is "
        "that of its ranks. Readings of one trainer lie up to 15 % apart on this machine, so a ratio "
        f"within 0.05 of 1 is not told from 1. A run that was killed trains again after {min(again):.1f} to {max(again):.1f} s.",
    )


def spark_ml() -> Claim:
    found = result("train_spark_ml")
    kinds = {
        "mlp": ("MLP, 5 classes", "MultilayerPerceptronClassifier"),
        "logistic": ("logistic, 5,000 n-grams", "LogisticRegression"),
    }
    seconds = {name: [sum(values) / len(values) for values in zip(*found[name]["rounds"], strict=True)][:2] for name in kinds}
    return Claim(
        "spark_ml",
        "Training against Spark ML",
        f"Spark ML's MultilayerPerceptronClassifier takes {seconds['mlp'][0]:.0f} s to a held-out loss that our train stage reaches "
        f"in {seconds['mlp'][1]:.0f} s; its LogisticRegression takes {seconds['logistic'][0]:.1f} s where we take "
        f"{seconds['logistic'][1]:.0f} s.",
        [["model", "Spark ML's class", "its `fit`, seconds", "our stage, seconds", "our steps alone are faster by"]]
        + [
            [text, f"`{peer}`", f"{seconds[name][0]:.1f}", f"{seconds[name][1]:.1f}", f"{found[name]['ratio_of_steps']:.2f}"]
            for name, (text, peer) in kinds.items()
        ],
        "seconds to the same held-out loss, MLP",
        [("lsml_spark, the whole stage", seconds["mlp"][1]), ("Spark ML, fit alone", seconds["mlp"][0])],
        found,
        "Six seconds of our stage are the start of its processes; Spark's session is warm and its rows are cached. L-BFGS is done "
        "with a convex model in a handful of passes: where the rows fit into memory, Spark ML is the right tool for it.",
    )


def selection() -> Claim:
    tasks: dict[str, Any] = {}
    for name in ("names", "arxiv", "mnist", "retail", "bandit"):
        tasks |= result(f"selection_{name}")["tasks"]
    gains = {name: tasks[name]["headline"]["gain"]["log_loss"]["0.5"] for name in TASKS}

    def interval(values: Sequence[float] | None) -> str:
        return "–" if values is None else "{:.2f} [{:.2f}, {:.2f}]".format(*values).replace("-", "−")

    zipf = gains["names_ngrams_3_passes"]["zipf"]
    times = tasks["names_ngrams_1_pass"]["headline"]["multiplier"]["log_loss"]["0.25"]["zipf"]
    arms = {"zipf": "`zipf`", "zipf_redrawn": "`zipf`, redrawn each epoch", "rs2": "RS2"}
    return Claim(
        "selection",
        "What selection is worth",
        f"Half of the rows of US first names, chosen by `zipf`, recover {zipf[0]:.2f} [{zipf[1]:.2f}, {zipf[2]:.2f}] of what all rows "
        f"gain over a random half, where RS2's draws recover {gains['names_ngrams_3_passes']['rs2'][0]:.2f}; on retail baskets it is "
        f"{gains['retail']['zipf'][0]:.2f}, on long-tailed MNIST {gains['mnist']['zipf'][0]:.2f} (goal 0.6: missed).",
        [["share of the gain of all rows, at half", *(text for text in arms.values())]]
        + [[text, *(interval(gains[name].get(arm)) for arm in arms)] for name, text in TASKS.items()],
        "share of the gain of all rows, at half of them, by `zipf`",
        [(text, gains[name]["zipf"][0]) for name, text in TASKS.items()],
        result("selection_names"),
        f"A quarter of the names, chosen so, does in one pass what {times[0]:.1f} times as many random rows do. "
        "0 is a random half, 1 all rows, both trained as long as the half; in brackets intervals of 95 % (bootstrap over keys and "
        "seeds). RS2 (Okanovic et al. 2024) draws random rows anew each epoch; in one pass it is a random half. The interval of "
        "arXiv is too wide to prove anything, and on a sixth data set, bandit clicks, twice the rows gain nothing, so there is "
        "nothing to recover. Protocol, all arms and what fails: [selection_proof.md](selection_proof.md).",
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
        f"Counting the keys of {rows / 1e6:.0f} million rows and selecting half of them costs {ours:.1f} times two plain scans, "
        f"Spark's own `sampleBy` {sample_by:.1f}, `row_number()` per key {row_number:.1f}; with the rows written it is "
        f"{figures[WRITTEN]['of_two_scans_cpu']:.1f} (goal 1.5: missed).",
        [["what", "seconds", "CPU seconds", "× two scans, CPU"]]
        + [
            [text, f"{figures[name]['seconds']:.1f}", f"{figures[name]['cpu']:.1f}", f"{figures[name]['of_two_scans_cpu']:.2f}"]
            for name, text in COUNTED.items()
        ],
        "CPU time, two plain scans being 1",
        [(COUNTED[name].replace("`", ""), figures[name]["of_two_scans_cpu"]) for name in PLANS],
        found,
        "The peers are given the counts and the rates at no cost. With half of all rows on one key the same plan costs "
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
        f"Shards of numbers are written {speed('tabular', 'ours: write'):.1f} times as fast as by Spark's own Parquet writer behind the "
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
        f"`lsml verify` reads shards in the page cache at {found['xxh128'][warm]:.1f} GB/s with xxh128, and at "
        f"{found['sha256'][warm]:.2f} GB/s with the usual sha256.",
        [["GB/s", "in the page cache", "from the disk"]]
        + [
            [f"{text}, {hash}", *(f"{found[hash][f'{name}, {state}']:.2f}" for state in ("warm", "cold"))]
            for hash in ("xxh128", "sha256")
            for name, text in (("lsml verify", "`lsml verify`"), ("bare hash, one thread", "the hash alone, one thread"))
        ],
        "GB/s in the page cache",
        [(f"lsml verify, {hash}", found[hash][warm]) for hash in ("xxh128", "sha256")],
        found,
    )


def ways() -> Claim:
    found = result("train_ways")
    exact = found["ways"]["exact"]["held_out"]
    once = found["one_seed"]["ways"]
    held = {name: value["held_out"] / exact for name, value in found["ways"].items()}
    others = {name: value["of_exact"][1] for name, value in once.items() if name not in held}
    return Claim(
        "ways",
        "Ways to train that are not exact",
        f"On unseen rows of retail, PowerSGD with 16 columns ends at {held['PowerSGD, 16 columns']:.3f} of the exact update's loss and "
        f"local SGD that averages every 8 updates at {held['local SGD, average every 8']:.3f}; PowerSGD with 4 columns, at "
        f"{held['PowerSGD, 4 columns']:.3f}, misses the goal of 1.02.",
        [["way", "held-out loss, the exact update's being 1", "seeds"]]
        + [[name, f"{value:.3f}", str(len(found["ways"][name]["all"]))] for name, value in held.items()]
        + [[name, f"{value:.3f}", "1"] for name, value in others.items()],
        "held-out loss above that of the exact update, in %",
        [(name, 100 * (value - 1)) for name, value in held.items() if name != "exact"],
        found,
        "Seeds alone differ by about 1 %, so of the ways with one seed only async is told from the exact update.",
        in_readme=False,
    )


def scale() -> Claim:
    (found,) = result("select_scale_large")["large"]
    memory = result("select_scale")["memory"]
    more = [many["heap"] - few["heap"] for few, many in zip(memory[0]["select"], memory[-1]["select"], strict=True)]
    return Claim(
        "scale",
        "Many keys",
        f"{found['rows'] / 1e6:.0f} million rows with {found['keys'] / 1e6:.1f} million keys are counted in "
        f"{found['zipf']['seconds']:.0f} s and selected to half in {found['select'][0]['seconds']:.0f} s on two cores, while "
        f"the driver's Python holds "
        f"{found['select'][0]['python']:.0f} MB; a hundred times the keys cost its Java heap "
        f"{max(more):.0f} MB at most.",
        [["rows to keep", "rows kept", "rate of keys seen once", "seconds, written"]]
        + [[f"{x['budget']:,.0f}", f"{x['kept']:,}", f"{x['rate_of_keys_seen_once']:.4f}", f"{x['seconds']:.0f}"] for x in found["select"]],
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
        f"On shards, which are written in hash order, a batch's labels are {hashed['buffer']['imbalance']:.3f} away from all labels under "
        f"`buffer`, and {hashed['full']['imbalance']:.3f} under a uniform permutation of all rows; on files that are sorted by label "
        f"it is {ordered['buffer']['imbalance']:.2f} against {ordered['full']['imbalance']:.3f}: those want `full`.",
        [["shuffle", "rows in hash order", "rows sorted by label"]]
        + [[f"`{name}`", f"{hashed[name]['imbalance']:.3f}", f"{ordered[name]['imbalance']:.3f}"] for name in hashed],
        "distance of a batch's labels from all labels, rows sorted by label",
        [(name, ordered[name]["imbalance"]) for name in ("full", "buffer", "buffer, 1 lane", "none")],
        result("shuffle_quality"),
        "The distance is the total variation between the labels of 1,024 rows and ten labels that are equally frequent.",
        in_readme=False,
    )


CLAIMS = (reading, streams, training, spark_ml, selection, select_on_spark, writing, verifying, ways, scale, shuffles)
