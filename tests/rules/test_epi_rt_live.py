"""Ours beside EpiEstim, surveillance::nowcast and MASS on random data and parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bihuan.epi.nowcast import nowcast, triangle_of_counts
from bihuan.epi.oracles import find_cases, run_case
from tests.rules.peers import Asked, answer

pytestmark = pytest.mark.slow

QUANTILES = "c(1:4,5,6,7,8,9,10,11)"
NAMES = "c('t_start','t_end','mean','sd','q025','q05','q25','median','q75','q95','q975')"


def _vector(values: Any) -> str:
    return "c(" + ",".join(repr(float(v)) for v in np.ravel(values)) + ")"


def _epidemic(rng: np.random.Generator, length: int) -> np.ndarray[Any, Any]:
    drift = np.cumsum(rng.normal(0, 0.15, length)) + rng.choice([0.0, 1.5, 4.0])
    return np.asarray(rng.negative_binomial(3, 3 / (3 + np.exp(drift))))


def _windows(rng: np.random.Generator, length: int) -> tuple[list[int], list[int]]:
    if rng.random() < 0.4:
        width = int(rng.integers(1, 15))
        start = np.arange(2, length - width + 2)
        return start.tolist(), (start + width - 1).tolist()
    start = np.sort(rng.choice(np.arange(2, length - 3), size=6, replace=False))
    end = np.sort(np.minimum(start + rng.integers(0, 12, 6), length))
    return start.tolist(), np.maximum(start, end).tolist()


def _weights(rng: np.random.Generator, rows: int = 1) -> np.ndarray[Any, Any]:
    found = rng.gamma(1.0, size=(rows, int(rng.integers(3, 30))))
    found[:, 0] = 0
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _estimate(rng: np.random.Generator, k: int) -> Asked:
    length = int(rng.integers(16, 120))
    total = _epidemic(rng, length)
    imported = rng.binomial(total, 0.2)
    start, end = _windows(rng, length)
    params: dict[str, Any] = {
        "t_start": start,
        "t_end": end,
        "mean_prior": float(rng.uniform(1, 6)),
        "std_prior": float(rng.uniform(0.5, 6)),
    }
    method = ["parametric_si", "non_parametric_si"][k % 2]
    if method == "parametric_si":
        mean = float(rng.uniform(1.3, 15))
        params |= {"mean_si": mean, "std_si": float(rng.uniform(0.3, 1.2) * mean)}
    else:
        params["si_distr"] = _weights(rng)[0].tolist()
    serial = (
        f"si_distr={_vector(params['si_distr'])}"
        if "si_distr" in params
        else f"mean_si={params['mean_si']!r},std_si={params['std_si']!r}"
    )
    with_imported = bool(rng.random() < 0.5)
    columns: dict[str, list[Any]] = (
        {"local": (total - imported).tolist(), "imported": imported.tolist()}
        if with_imported
        else {"I": total.tolist()}
    )
    data = "input[,c('local','imported')]" if with_imported else "input$I"
    r = (
        f"r <- suppressMessages(estimate_R({data}, method='{method}', config=make_config(list({serial},"
        f"t_start={_vector(start)},t_end={_vector(end)},"
        f"mean_prior={params['mean_prior']!r},std_prior={params['std_prior']!r}))))\n"
        f"out <- r$R; names(out) <- {NAMES}; options(digits=15)"
    )
    return Asked(f"estimateR__{k}", total.tolist(), params | {"method": method}, r, columns)


def _sampled(rng: np.random.Generator, k: int) -> Asked:
    """Several serial intervals: the peer draws, we do not."""
    total = _epidemic(rng, 60) + 5
    start, end = list(range(2, 55)), list(range(8, 61))
    common = f"t_start={_vector(start)},t_end={_vector(end)},seed=1"
    params: dict[str, Any] = {"t_start": start, "t_end": end}
    if k % 2:
        weights = _weights(rng, rows=4)
        params |= {"si_sample": weights.tolist(), "method": "si_from_sample"}
        call = (
            f"estimate_R(input$I, method='si_from_sample', si_sample=matrix({_vector(weights)},"
            f"ncol=4), config=make_config(list(n2=20000,{common})))"
        )
    else:
        numbers = {
            "mean_si": 5.0, "std_mean_si": 1.0, "min_mean_si": 3.0, "max_mean_si": 7.0,
            "std_si": 2.5, "std_std_si": 0.5, "min_std_si": 1.5, "max_std_si": 3.5,
        }  # fmt: skip
        params |= numbers | {"method": "uncertain_si"}
        words = ",".join(f"{name}={value}" for name, value in numbers.items())
        call = (
            f"estimate_R(input$I, method='uncertain_si', config=make_config(list({words},n1=1500,"
            f"n2=100,{common})))"
        )
    r = f"r <- suppressMessages(suppressWarnings({call})); out <- r$R; names(out) <- {NAMES}"
    return Asked(f"estimateR__sampled_{k}", total.tolist(), params, r, {"I": total.tolist()})


def _wallinga(rng: np.random.Generator, k: int) -> Asked:
    total = _epidemic(rng, int(rng.integers(20, 80))) + (k % 2)
    start, end = _windows(rng, total.size)
    filled = [(a, b) for a, b in zip(start, end, strict=True) if total[a - 1 : b].sum() > 0]
    start, end = [a for a, _b in filled], [b for _a, b in filled]
    weights = _weights(rng)[0]
    trees = 2000 if k % 5 == 0 else 0
    r = (
        f"r <- suppressMessages(wallinga_teunis(input$I, method='non_parametric_si', config=list("
        f"si_distr={_vector(weights)},t_start={_vector(start)},t_end={_vector(end)},n_sim={trees})))\n"
        "out <- r$R; names(out) <- c('t_start','t_end','mean','sd','q025','q975')"
    )
    params = {"si_distr": weights.tolist(), "t_start": start, "t_end": end, "n_sim": trees}
    return Asked(f"wallinga_teunis__{k}", total.tolist(), params, r, {"I": total.tolist()})


def _infectivity(rng: np.random.Generator, k: int) -> Asked:
    total, weights = _epidemic(rng, 50), _weights(rng)[0]
    r = f"out <- data.frame(t=seq_along(input$I), lambda=overall_infectivity(input$I, {_vector(weights)}))"
    return Asked(
        f"overall_infectivity__{k}", total.tolist(), {"si_distr": weights.tolist()}, r, {"I": total.tolist()}
    )


def _discretized(rng: np.random.Generator, k: int) -> Asked:
    mean = rng.uniform(1.05, 20, 6)
    sd = rng.uniform(0.2, 1.5, 6) * mean
    r = (
        "out <- do.call(rbind, lapply(seq_along(input$mu), function(i) data.frame(k=0:40, mu=input$mu[i],"
        "sigma=input$sigma[i], pmf=discr_si(0:40, input$mu[i], input$sigma[i]))))"
    )
    return Asked(f"discr_si__{k}", [], {}, r, {"mu": mean.tolist(), "sigma": sd.tolist()})


def test_reproduction_numbers_are_those_of_epiestim_on_random_epidemics(tmp_path: Path) -> None:
    rng = np.random.default_rng(20200123)
    asked = [_estimate(rng, k) for k in range(60)]
    asked += [_wallinga(rng, k) for k in range(20)]
    asked += [_infectivity(rng, k) for k in range(10)]
    asked += [_discretized(rng, k) for k in range(5)]
    stopped = answer(asked, tmp_path, library="EpiEstim")
    assert stopped == []
    found = {one.name: run_case(one) for one in find_cases(tmp_path)}
    assert {name: [str(d) for d in differences] for name, differences in found.items() if differences} == {}
    assert len(found) == 95


def test_samples_of_the_serial_interval_agree_with_what_epiestim_draws(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    assert answer([_sampled(rng, k) for k in range(6)], tmp_path, library="EpiEstim") == []
    found = {one.name: run_case(one) for one in find_cases(tmp_path)}
    assert {name: [str(d) for d in differences] for name, differences in found.items() if differences} == {}


def _line_list(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    days = np.repeat(np.arange(45), rng.poisson(rng.uniform(3, 25), 45))
    delay = np.minimum(rng.negative_binomial(3, 3 / (3 + rng.uniform(2, 6)), days.size), 30)
    first = np.datetime64("2020-01-01")
    return (first + days).astype(str).tolist(), (first + days + delay).astype(str).tolist()


def _nowcast(rng: np.random.Generator, k: int) -> Asked:
    events, reports = _line_list(rng)
    now, longest = "2020-02-10", int(rng.integers(5, 18))
    weekly = k % 8 > 5
    if weekly:
        now, longest = "2020-02-03", 3  # a Monday
    window = None if weekly or rng.random() < 0.4 else int(longest + rng.integers(0, 15))
    method = ["lawless", "bayes.trunc", "bayes.notrunc"][k % 3]
    shapes = ["hoehle_anderheiden2014", "lawless1994"][: 2 if method == "lawless" else 1]
    shape = str(rng.choice(shapes))  # the peer takes the second with lawless only
    mean, variance = float(rng.uniform(5, 40)), float(rng.uniform(50, 2000))
    alpha, kappa = float(rng.choice([0.05, 0.1, 0.5])), float(rng.choice([0.1, 0.5, 1.0]))
    first = "2019-12-30" if weekly else "2020-01-01"
    params: dict[str, Any] = {
        "now": now, "method": method, "D": longest, "m": window, "m_interpretation": shape,
        "date_range": [first, "2020-03-23"], "alpha": alpha, "N_tInf_max": 400,
        "gd_prior_kappa": kappa, "aggregate_by": "1 week" if weekly else "1 day",
        "prior": f"poisgamma mean.lambda={mean!r} var.lambda={variance!r}",
    }  # fmt: skip
    unit = params["aggregate_by"]
    r = f"""set.seed(1)
for (n in c("dHosp","dReport")) input[[n]] <- as.Date(input[[n]])
now <- as.Date("{now}"); when <- rev(seq(now, by="-{unit}", length.out={longest} + 1))
sink("/dev/null")
nc <- suppressWarnings(suppressMessages(nowcast(now=now, when=when, data=input, dEventCol="dHosp",
  dReportCol="dReport", method="{method}", D={longest}, m={"NULL" if window is None else window},
  aggregate.by="{unit}", m.interpretation="{shape}", control=list(
  dRange=as.Date(c("{first}","2020-03-23")), alpha={alpha!r},
  N.tInf.max=400, nSamples=2000, gd.prior.kappa={kappa!r},
  N.tInf.prior=structure("poisgamma", mean.lambda={mean!r}, var.lambda={variance!r})))))
sink()
at <- match(when, epoch(nc))
out <- data.frame(date=when, nowcast=upperbound(nc)[at,1], lo=nc@pi[at,1,1], hi=nc@pi[at,1,2])"""
    return Asked(
        f"nowcast_{method.replace('.', '')}__{k}", [], params, r, {"dHosp": events, "dReport": reports}
    )


def test_nowcasts_are_those_of_surveillance_on_random_line_lists(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    asked = [_nowcast(rng, k) for k in range(24)]
    assert answer(asked, tmp_path, library="surveillance") == []
    found = {one.name: run_case(one) for one in find_cases(tmp_path)}
    assert {name: [str(d) for d in differences] for name, differences in found.items() if differences} == {}
    assert len(found) == 24


def _growth(rng: np.random.Generator, k: int) -> Asked:
    length = int(rng.integers(12, 60))
    mean = np.exp(rng.uniform(0, 3) + rng.uniform(-0.06, 0.08) * np.arange(length))
    total = rng.negative_binomial(2, 2 / (2 + mean))
    rows = "d <- data.frame(y=input$I, t=seq_along(input$I));"
    if k % 2:
        model, call = (
            "lm(log(I) ~ t) over positive days",
            "m <- lm(log(y) ~ t, d[d$y > 0,]); q <- confint(m)[2,]",
        )
    else:
        model = "glm.nb(I ~ t)"
        call = (
            "m <- glm.nb(y ~ t, d, control=glm.control(epsilon=1e-12, maxit=500));"
            "s <- summary(m)$coefficients[2,]; q <- s[1] + c(-1,1) * qnorm(0.975) * s[2]"
        )
    r = f"{rows} {call}; out <- data.frame(r=coef(m)[[2]], r_lo=q[[1]], r_hi=q[[2]])"
    return Asked(f"growth_fit__{k}", total.tolist(), {"model": model}, r, {"I": total.tolist()})


def test_growth_rates_are_those_of_glm_nb_and_lm(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    answer([_growth(rng, k) for k in range(40)], tmp_path, library="MASS")
    found = {one.name: run_case(one) for one in find_cases(tmp_path)}
    assert {name: [str(d) for d in differences] for name, differences in found.items() if differences} == {}
    assert len(found) >= 35


def test_the_chain_ladder_and_its_variance_are_those_of_a_quasi_poisson_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    share = np.array([0.2, 0.3, 0.25, 0.15, 0.1])
    cells = rng.negative_binomial(4, 4 / (4 + rng.uniform(20, 60, 25)[:, None] * share))
    known = np.add.outer(np.arange(25), np.arange(5)) <= 24
    t, d = np.nonzero(np.ones_like(known))
    columns = {"t": t.tolist(), "d": d.tolist(), "n": cells.ravel().tolist(), "known": known.ravel().tolist()}
    r = """input$known <- input$known == "True"; input$t <- factor(input$t); input$d <- factor(input$d)
m <- glm(n ~ t + d, quasipoisson, input, subset=known, epsilon=1e-12)
rest <- input[!input$known,]; mu <- predict(m, rest, type="response")
x <- model.matrix(~ t + d, input)[!input$known,]; v <- (mu * x) %*% vcov(m) %*% t(mu * x)
phi <- summary(m)$dispersion
out <- do.call(rbind, lapply(sort(unique(as.character(rest$t))), function(k) { w <- rest$t == k
  data.frame(t=as.integer(k), come=sum(mu[w]), sd=sqrt(phi * sum(mu[w]) + sum(v[w,w])), phi=phi) }))"""
    assert answer([Asked("ladder__1", [], {}, r, columns)], tmp_path, library="MASS") == []
    table = find_cases(tmp_path)[0].numbers("expected")
    order = np.argsort(table["t"])
    ours = nowcast(triangle_of_counts(cells), method="chain_ladder")
    np.testing.assert_allclose(ours.mean[0] - ours.observed[0], table["come"][order], rtol=1e-6)
    np.testing.assert_allclose(ours.extra["dispersion"][0], table["phi"][order], rtol=1e-6)
    np.testing.assert_allclose(ours.extra["sd"][0], table["sd"][order], rtol=1e-4)
