"""Proportions with Wilson 95 % intervals, in percent."""

Z = 1.959963984540054


def wilson(successes: int, n: int) -> tuple[float, float]:
    p = successes / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * (p * (1 - p) / n + Z * Z / (4 * n * n)) ** 0.5
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)


def show(successes: int, n: int) -> str:
    low, high = wilson(successes, n)
    return f"{100 * successes / n:.1f} [{low:.1f}, {high:.1f}] (n {n})"
