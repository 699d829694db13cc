"""Reference numbers of trusted peers, held against ours: `python3 bihuan.py oracles FOLDER`.

A case is a folder with `params.json`, `input*.csv` and `expected*.csv`. Which of ours answers it is told by
the word before `__` in its name (`ears_C1__newport_weekly` → `ears_C1`), longest registered beginning first.
A topic registers with `@case("ears")` a function that takes a Case and yields a Difference for each thing
that does not agree; nothing yielded means it passed.
"""

from bihuan.epi.oracles.cases import Case, Difference, case, compare, find_cases, run_case

__all__ = ["Case", "Difference", "case", "compare", "find_cases", "run_case"]
