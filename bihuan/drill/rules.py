"""A synthetic outbreak: who infects whom, when each falls ill, and how promptly the system acts.

Pure and seeded: the same scenario gives the same people, dates and slips of the pen. Nobody in it exists.
Every instant is an aware UTC datetime; `at` of a date-like fact lies in working hours of the local day.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程"
    "魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石单解"
)
GIVEN_M = "伟强磊军勇杰涛斌波辉刚健明亮峰建国志浩宇鹏飞俊文海林平东"
GIVEN_F = "芳娜敏静秀娟英慧巧美雪梅琳玲霞燕红莉丹萍华洁云莲真环荣爱"
OCCUPATIONS = (
    "退休",
    "企业职工",
    "个体经营",
    "学生",
    "教师",
    "农民",
    "医务人员",
    "驾驶员",
    "餐饮服务",
    "家务",
)
SETTINGS = (
    ("household", 0.46),
    ("meal_or_gathering", 0.17),
    ("work_or_school", 0.14),
    ("transport", 0.09),
    ("care", 0.06),
    ("other", 0.08),
)
#: Share of infections at home; the others go by SETTINGS. What the patient says of each.
AT_HOME = 0.5
SAYS = {
    "household": "家庭内接触",
    "meal_or_gathering": "与确诊病例聚餐",
    "work_or_school": "与确诊病例同单位",
    "transport": "与确诊病例同乘",
    "care": "就诊时接触确诊病例",
    "other": "接触确诊病例",
}


@dataclass(frozen=True)
class Scenario:
    """What the drill assumes. Epidemiology is of papers of 2020, promptness of the work is our own choice.

    incubation_log_mean, incubation_log_sd: log-normal days, median 5.1 (Lauer et al., Ann Intern Med 2020).
    generation_shape, generation_scale: Weibull days, mean 5.0 (Ferretti et al., Science 2020).
    dispersion: negative-binomial k of the offspring distribution (Adam et al., Nat Med 2020: 0.43).
    reproduction_before/after: mean offspring before and after closed management began on `control_from`.
    """

    seed: int
    start: datetime
    now: datetime
    control_from: datetime
    n_imported: int = 12
    max_cases: int = 110
    contacts_per_case: float = 4.0
    reproduction_before: float = 2.2
    reproduction_after: float = 0.95
    dispersion: float = 0.43
    incubation_log_mean: float = 1.621
    incubation_log_sd: float = 0.418
    generation_shape: float = 2.83
    generation_scale: float = 5.67
    slip_share: float = 0.12
    """Share of steps done late or not yet: a drill without slips teaches nothing."""


@dataclass(frozen=True)
class SyntheticPerson:
    key: str
    name: str
    sex: str
    age: int
    occupation: str
    address: str
    territory_code: str


@dataclass(frozen=True)
class CaseStory:
    """One infected person's way; an instant that lies after the scenario's `now` has not happened yet."""

    person: SyntheticPerson
    infector: str | None
    infected_at: datetime
    onset_at: datetime
    diagnosed_at: datetime
    classification: str
    severity: str
    origin: str
    source_text: str
    reported_at: datetime
    reviewed_at: datetime
    investigated_at: datetime
    isolated_at: datetime
    admitted_at: datetime
    tested_at: datetime
    concluded_at: datetime
    outcome: str
    outcome_at: datetime
    was_contact: bool = False
    setting: str = ""
    """Where the infection happened, one of SETTINGS; "" for one who came infected."""


@dataclass(frozen=True)
class ContactStory:
    """One close contact's way. `compliance` is the share of the daily checks that get done."""

    person: SyntheticPerson
    case_key: str
    setting: str
    last_exposure_at: datetime
    confirmed_at: datetime
    located_at: datetime
    placed_at: datetime
    kind: str
    compliance: float
    fever_from: datetime | None = None
    became_case: bool = False


@dataclass(frozen=True)
class Outbreak:
    scenario: Scenario
    cases: tuple[CaseStory, ...]
    contacts: tuple[ContactStory, ...]


@dataclass
class _Town:
    """Draws people and addresses; the only holder of the random state."""

    draw: random.Random
    communities: Sequence[tuple[str, str]]
    weights: Sequence[float]
    count: int = 0
    names: set[str] = field(default_factory=set)

    def person(self, near: SyntheticPerson | None = None) -> SyntheticPerson:
        self.count += 1
        sex = self.draw.choice("MF")
        age = min(93, max(1, int(self.draw.gauss(46, 19))))
        if near is None:
            code, community = self.draw.choices(self.communities, self.weights)[0]
            stair = f"{self.draw.randint(1, 24)}栋{self.draw.randint(1, 4)}单元"
            address = f"{community}{stair}{self.draw.randint(1, 9)}0{self.draw.randint(1, 4)}室"
        else:
            code, address = near.territory_code, near.address
        return SyntheticPerson(
            key=f"P{self.count:04d}",
            name=self._name(sex),
            sex=sex,
            age=age,
            address=address,
            territory_code=code,
            occupation=_occupation(age, self.draw),
        )

    def _name(self, sex: str) -> str:
        while True:
            name = a_name(self.draw, sex)
            if name not in self.names:
                self.names.add(name)
                return name


def a_name(draw: random.Random, sex: str) -> str:
    """A name as many have it; of nobody."""
    given = GIVEN_M if sex == "M" else GIVEN_F
    return draw.choice(SURNAMES) + "".join(draw.sample(given, draw.choice((1, 2, 2))))


def _occupation(age: int, draw: random.Random) -> str:
    if age < 6:
        return "散居儿童"
    if age < 22:
        return "学生"
    if age > 62:
        return "退休"
    return draw.choice([name for name in OCCUPATIONS if name not in ("学生", "退休")])


def play_out(
    scenario: Scenario, communities: Sequence[tuple[str, str]], weights: Sequence[float]
) -> Outbreak:
    """Grow the outbreak. `communities` are (code, name), `weights` how likely each is a home; same length."""
    if not communities or len(communities) != len(weights):
        raise ValueError("play_out needs at least one community and one weight for each.")
    town = _Town(draw=random.Random(scenario.seed), communities=communities, weights=weights)
    cases = _grow(scenario, town)
    contacts = [contact for case in cases for contact in _contacts_of(case, cases, scenario, town)]
    return Outbreak(scenario=scenario, cases=tuple(cases), contacts=tuple(contacts))


def residents(
    draw: random.Random, communities: Sequence[tuple[str, str]], weights: Sequence[float], *, n: int
) -> list[SyntheticPerson]:
    """People of the same communities whom no story is about, keys R0001 and on."""
    town = _Town(draw=draw, communities=communities, weights=weights)
    return [replace(town.person(), key=f"R{k:04d}") for k in range(1, n + 1)]


def _grow(scenario: Scenario, town: _Town) -> list[CaseStory]:
    draw = town.draw
    queue: list[tuple[datetime, CaseStory | None]] = [
        (scenario.start + timedelta(days=draw.uniform(0, 7)), None) for _ in range(scenario.n_imported)
    ]
    cases: list[CaseStory] = []
    while queue and len(cases) < scenario.max_cases:
        queue.sort(key=lambda item: item[0])
        infected_at, infector = queue.pop(0)
        story = _story(scenario, town, infected_at, infector)
        if story.diagnosed_at > scenario.now:
            continue
        cases.append(story)
        queue.extend((at, story) for at in _offspring(scenario, draw, story))
    return cases


def _offspring(scenario: Scenario, draw: random.Random, story: CaseStory) -> Iterator[datetime]:
    """Infection times of those this case infects; nobody is infected after the infector is isolated."""
    mean = (
        scenario.reproduction_before
        if story.infected_at < scenario.control_from
        else scenario.reproduction_after
    )
    rate = draw.gammavariate(scenario.dispersion, mean / scenario.dispersion)
    for _ in range(_poisson(draw, rate)):
        at = story.infected_at + timedelta(
            days=draw.weibullvariate(scenario.generation_scale, scenario.generation_shape)
        )
        if at < story.isolated_at:
            yield at


def _poisson(draw: random.Random, rate: float) -> int:
    """Knuth's method; rates here stay small."""
    limit, k, p = math.exp(-min(rate, 30.0)), 0, 1.0
    while True:
        p *= draw.random()
        if p <= limit:
            return k
        k += 1


def _story(scenario: Scenario, town: _Town, infected_at: datetime, infector: CaseStory | None) -> CaseStory:
    draw = town.draw
    household = infector is not None and draw.random() < AT_HOME
    person = town.person(near=infector.person if household and infector else None)
    setting = "household" if household else _elsewhere(scenario, person) if infector else ""
    onset = infected_at + timedelta(
        days=draw.lognormvariate(scenario.incubation_log_mean, scenario.incubation_log_sd)
    )
    known = infector is not None and draw.random() < 0.6
    delay = draw.gammavariate(2.0, 1.0) if known else draw.gammavariate(2.2, 1.7)
    diagnosed = _working_hour(onset + timedelta(days=0.4 + delay), draw)
    severity = draw.choices(("mild", "moderate", "severe", "critical"), (0.30, 0.52, 0.13, 0.05))[0]
    classification = draw.choices(("confirmed", "suspected"), (0.86, 0.14))[0]
    reported = _after(diagnosed, 0.7, 2.0, scenario, draw)
    admitted = _after(diagnosed, 4.0, 15.0, scenario, draw)
    died = severity == "critical" and draw.random() < 0.45
    stay = draw.gauss(12.0 if died else 15.0, 3.0)
    return CaseStory(
        person=person,
        infector=infector.person.key if infector else None,
        infected_at=infected_at,
        onset_at=onset,
        diagnosed_at=diagnosed,
        classification=classification,
        severity=severity,
        origin="imported" if infector is None else "local",
        source_text=SAYS.get(setting, "武汉返乡"),
        reported_at=reported,
        reviewed_at=_after(reported, 0.8, 2.0, scenario, draw),
        investigated_at=_after(reported, 9.0, 24.0, scenario, draw),
        isolated_at=diagnosed + timedelta(minutes=draw.randint(5, 90)),
        admitted_at=admitted,
        tested_at=_after(diagnosed, 3.0, 12.0, scenario, draw),
        concluded_at=_after(diagnosed, 22.0, 40.0, scenario, draw),
        outcome="died" if died else "recovered",
        outcome_at=_working_hour(admitted + timedelta(days=max(5.0, stay)), draw),
        was_contact=known,
        setting=setting,
    )


def _elsewhere(scenario: Scenario, person: SyntheticPerson) -> str:
    """Where somebody was infected, not at home; drawn apart, so that the outbreak stays what it was."""
    away = [(name, share) for name, share in SETTINGS if name != "household"]
    apart = random.Random(f"{scenario.seed} {person.key}")
    return apart.choices([name for name, _ in away], [share for _, share in away])[0]


def _contacts_of(
    case: CaseStory, cases: Sequence[CaseStory], scenario: Scenario, town: _Town
) -> list[ContactStory]:
    draw = town.draw
    fell_ill = [other for other in cases if other.infector == case.person.key and other.was_contact]
    stories = [
        _contact(case, other.person, scenario, draw, setting=other.setting, ill=other) for other in fell_ill
    ]
    stories = [
        story for story in stories if story.became_case
    ]  # found too late: reported as a case straight away
    for _ in range(_poisson(draw, scenario.contacts_per_case)):
        setting = draw.choices([name for name, _ in SETTINGS], [share for _, share in SETTINGS])[0]
        person = town.person(near=case.person if setting == "household" else None)
        stories.append(_contact(case, person, scenario, draw, setting=setting))
    return [story for story in stories if story.confirmed_at <= scenario.now]


def _contact(
    case: CaseStory,
    person: SyntheticPerson,
    scenario: Scenario,
    draw: random.Random,
    *,
    setting: str,
    ill: CaseStory | None = None,
) -> ContactStory:
    last = case.isolated_at - timedelta(hours=draw.uniform(0, 40))
    confirmed = case.investigated_at - timedelta(hours=draw.uniform(0, 4))
    if ill is not None:
        confirmed = min(confirmed, ill.diagnosed_at - timedelta(hours=3))
    confirmed = max(confirmed, case.diagnosed_at + timedelta(minutes=40))
    located = _after(confirmed, 0.9, 2.0, scenario, draw)
    placed = _after(located, 3.0, 6.0, scenario, draw)
    ill = ill if ill is not None and ill.diagnosed_at > placed + timedelta(hours=2) else None
    return ContactStory(
        person=person,
        case_key=case.person.key,
        setting=setting,
        last_exposure_at=last,
        confirmed_at=confirmed,
        located_at=located,
        placed_at=placed,
        kind="home" if draw.random() < 0.62 else "facility",
        compliance=draw.choices((1.0, 0.97, 0.85), (0.6, 0.3, 0.1))[0],
        fever_from=ill.onset_at if ill else None,
        became_case=ill is not None,
    )


def _after(
    start: datetime, typical_hours: float, limit_hours: float, scenario: Scenario, draw: random.Random
) -> datetime:
    """Mostly well inside the limit; `slip_share` of the time past it, up to three times over."""
    if draw.random() < scenario.slip_share:
        return start + timedelta(hours=limit_hours * draw.uniform(1.1, 3.0))
    return start + timedelta(hours=min(draw.gammavariate(3.0, typical_hours / 3.0), limit_hours * 0.97))


def _working_hour(at: datetime, draw: random.Random) -> datetime:
    """The same UTC day, moved to 00:20-12:30 UTC (08:20-20:30 in China), when clinics see people."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(minutes=20 + draw.random() * 730)
