"""Raw days as somebody might bring them: a table of people with a `date` of its own, and chats in hourly JSON
lines.
"""

import json
import random
from pathlib import Path

DATES = ("2024-03-01", "2024-03-02", "2024-03-03")
WORDS = {
    "weather": "rain sun cloud storm warm",
    "money": "bank pay card loan euro",
    "food": "bread milk cook oven salt",
}


def people(folder: Path, rows: int = 300) -> Path:
    """CSV; `income` follows from the other columns, `workclass` is missing at times."""
    draw = random.Random(3)
    folder.mkdir(parents=True)
    for date in DATES:
        lines = ["age,workclass,education,hours-per-week,capital-gain,date,income"]
        for _ in range(rows):
            age, hours = draw.randint(17, 90), draw.randint(1, 99)
            work, school = (
                draw.choice(["Private", "State-gov", "Self-emp", ""]),
                draw.choice(["HS", "Bachelors", "Masters"]),
            )
            gain = draw.choice([0] * 9 + [draw.randint(100, 99_999)])
            rich = (school == "Masters") + (hours > 40) + (age > 35) + draw.random() > 2.2
            day, label = f"2020-01-0{draw.randint(1, 9)}", ">50K" if rich else "<=50K"
            lines.append(f"{age},{work},{school},{hours},{gain},{day},{label}")
        (folder / f"{date}.csv").write_text("\n".join(lines) + "\n")
    return folder


def chats(folder: Path, rows: int = 200) -> Path:
    """`date=D/HH/events.jsonl`; the words of `text` tell its `intent`."""
    draw = random.Random(5)
    for date in DATES:
        for hour in ("00", "12"):
            path = folder / f"date={date}" / hour / "events.jsonl"
            path.parent.mkdir(parents=True)
            with path.open("w") as file:
                for i in range(rows // 2):
                    intent = draw.choice(list(WORDS))
                    said = draw.choices(WORDS[intent].split(), k=12) + draw.choices(
                        ["the", "a", "is", "of", "in", "to"], k=14
                    )
                    record = {
                        "id": f"{date}-{hour}-{i}",
                        "text": " ".join(said),
                        "intent": intent,
                        "at": f"{date}T{hour}:00:00Z",
                    }
                    file.write(
                        json.dumps({**record, "meta": {"channel": draw.choice(["chat", "mail"])}}) + "\n"
                    )
    return folder
