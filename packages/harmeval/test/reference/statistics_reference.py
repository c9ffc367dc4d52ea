"""Writes statistics-reference.json: values of scipy and statsmodels that the statistics of harmeval are tested against.

Run: python -m venv .venv && .venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
     .venv/bin/python statistics_reference.py > statistics-reference.json
"""

import json
import sys

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint


def wilson_cases():
    cases = [(6, 550, 0.05), (0, 50, 0.05), (50, 50, 0.05), (119, 550, 0.05), (1, 3, 0.1), (17, 40, 0.01)]
    out = []
    for count, nobs, alpha in cases:
        low, high = proportion_confint(count, nobs, alpha=alpha, method="wilson")
        out.append({"successes": count, "trials": nobs, "confidence": 1 - alpha, "low": low, "high": high})
    return out


def one_sided_cases():
    # Clopper-Pearson upper bound of an empty cell at one-sided 0.95 is the two-sided bound at 0.90.
    return [
        {"trials": n, "upper": proportion_confint(0, n, alpha=0.1, method="beta")[1]} for n in (1, 10, 50, 550)
    ]


def newcombe_cases():
    # Groups of the published comparison (Newcombe 1998a, table II) and a few of our own sizes.
    cases = [(56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (5, 56, 0, 29), (0, 10, 0, 20), (10, 10, 0, 20), (119, 550, 6, 550)]
    out = []
    for c1, n1, c2, n2 in cases:
        low, high = confint_proportions_2indep(c1, n1, c2, n2, method="newcomb", compare="diff", alpha=0.05)
        out.append({"a": [c1, n1], "b": [c2, n2], "low": low, "high": high})
    return out


def mcnemar_cases():
    out = []
    for both, first, second, neither in [(10, 15, 4, 71), (0, 1, 0, 9), (5, 8, 8, 5), (120, 37, 61, 332), (0, 0, 12, 5)]:
        result = mcnemar([[both, first], [second, neither]], exact=True)
        small, n = min(first, second), first + second
        mid = 2 * (stats.binom.cdf(small, n, 0.5) - 0.5 * stats.binom.pmf(small, n, 0.5))
        if first == second:  # Fagerland, Lydersen and Laake (2013): the observed point lies in both tails
            mid = 1 - 0.5 * stats.binom.pmf(small, n, 0.5)
        out.append({"cells": [both, first, second, neither], "p": min(1.0, result.pvalue), "midP": min(1.0, mid)})
    return out


def holm_cases():
    out = []
    for ps in [[0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.2], [0.9, 0.0001], [0.05], [0.011, 0.011, 0.02, 0.7, 0.0004, 0.03]]:
        out.append({"p": ps, "adjusted": list(multipletests(ps, method="holm")[1])})
    return out


def cluster_case():
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(12), [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6])
    values = (rng.random(len(groups)) + 0.5 * rng.random(12)[groups] > 0.8).astype(float)
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    low, high = fit.conf_int(0.05)[0]
    return {
        "values": values.tolist(),
        "clusters": [str(g) for g in groups],
        "mean": float(fit.params[0]),
        "standardError": float(fit.bse[0]),
        "low": float(low),
        "high": float(high),
    }


def kappa_cases():
    out = []
    for table in [[[20, 5], [10, 15]], [[45, 15], [25, 15]], [[44, 5, 1], [7, 20, 3], [9, 5, 6]]]:
        result = cohens_kappa(np.array(table))
        out.append({"table": table, "kappa": result.kappa, "standardError": float(np.sqrt(result.var_kappa))})
    return out


def detectable_cases():
    paired = []
    for pairs, disc, alpha, power in [(550, 0.2, 0.05, 0.8), (200, 0.1, 0.05, 0.9), (1000, 0.35, 0.01, 0.8)]:
        za, zb = stats.norm.isf(alpha / 2), stats.norm.ppf(power)
        f = lambda d: ((za * np.sqrt(disc) + zb * np.sqrt(disc - d * d)) / d) ** 2 - pairs
        d = optimize.brentq(f, 1e-6, disc, xtol=1e-14)
        paired.append({"pairs": pairs, "discordance": disc, "alpha": alpha, "power": power, "difference": d})
    unpaired = []
    for n, p, alpha, power in [(550, 0.2, 0.05, 0.8), (100, 0.05, 0.05, 0.9)]:
        za, zb = stats.norm.isf(alpha / 2), stats.norm.ppf(power)

        def g(d):
            q = p + d
            m = (p + q) / 2
            return ((za * np.sqrt(2 * m * (1 - m)) + zb * np.sqrt(p * (1 - p) + q * (1 - q))) / d) ** 2 - n

        d = optimize.brentq(g, 1e-6, 1 - p - 1e-9, xtol=1e-14)
        unpaired.append({"perArm": n, "baseRate": p, "alpha": alpha, "power": power, "difference": d})
    return {"paired": paired, "unpaired": unpaired}


def bootstrap_case():
    rng = np.random.default_rng(11)
    a = (rng.random(120) < 0.4).astype(float)
    b = np.where(rng.random(120) < 0.3, (rng.random(120) < 0.2).astype(float), a)
    result = stats.bootstrap(
        (a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), paired=True, n_resamples=200_000, method="percentile",
        confidence_level=0.95, rng=np.random.default_rng(3), vectorized=True, batch=2000,
    )
    return {
        "a": a.tolist(),
        "b": b.tolist(),
        "low": float(result.confidence_interval.low),
        "high": float(result.confidence_interval.high),
        "standardError": float(result.standard_error),
    }


def quantile_cases():
    values = sorted([3.0, 1.5, 9.25, -2.0, 7.0, 7.0, 0.125])
    return {"values": values, "at": [[q, float(np.quantile(values, q))] for q in (0, 0.025, 0.31, 0.5, 0.975, 1)]}


def rogan_gladen_cases():
    # Point estimate by definition; interval from the published formula, evaluated here with scipy's quantile.
    out = []
    for (x, n), (xs, ns), (xp, np_) in [((130, 550), (90, 100), (185, 200)), ((12, 200), (45, 60), (118, 120)), ((400, 500), (70, 100), (95, 100))]:
        z = stats.norm.ppf(0.975)
        se, sp, ap = xs / ns, xp / np_, x / n
        point = (ap + sp - 1) / (se + sp - 1)
        p = (x + z * z / 2) / (n + z * z)
        s, t = (xs + 1) / (ns + 2), (xp + 1) / (np_ + 2)
        theta = (p + t - 1) / (s + t - 1)
        vs, vt, vp = s * (1 - s) / (ns + 2), t * (1 - t) / (np_ + 2), p * (1 - p) / (n + z * z)
        shift = 2 * z * z * (theta * vs - (1 - theta) * vt)
        half = z * np.sqrt(vp + theta**2 * vs + (1 - theta) ** 2 * vt) / abs(s + t - 1)
        out.append(
            {
                "observed": [x, n],
                "sensitivity": [xs, ns],
                "specificity": [xp, np_],
                "value": float(np.clip(point, 0, 1)),
                "low": float(np.clip(theta + shift - half, 0, 1)),
                "high": float(np.clip(theta + shift + half, 0, 1)),
            }
        )
    return out


json.dump(
    {
        "versions": {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "numpy": np.__version__},
        "wilson": wilson_cases(),
        "oneSided": one_sided_cases(),
        "newcombe": newcombe_cases(),
        "mcnemar": mcnemar_cases(),
        "holm": holm_cases(),
        "cluster": cluster_case(),
        "kappa": kappa_cases(),
        "detectable": detectable_cases(),
        "bootstrap": bootstrap_case(),
        "quantile": quantile_cases(),
        "roganGladen": rogan_gladen_cases(),
    },
    sys.stdout,
    indent=1,
)
sys.stdout.write("\n")
