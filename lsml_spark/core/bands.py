"""Bands of keys by how many training rows they had: the same in figures, pilots, policies and pages."""

# name → (fewest, most) rows, both inside; None: without end
BANDS: dict[str, tuple[int, int | None]] = {
    "0": (0, 0),
    "1": (1, 1),
    "2–9": (2, 9),
    "10–99": (10, 99),
    "100+": (100, None),
}
KNOWN = {name: edges for name, edges in BANDS.items() if name != "0"}  # of keys that training has seen
