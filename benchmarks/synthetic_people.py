"""Made-up people in large numbers: names by frequency, births, telephones and numbers that are well formed.

Nobody real: names and telephones are drawn at random, identity numbers lie in county codes that no county
has (last two digits 99).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import accumulate

from stdnum.cn import ric

from bihuan.registry.people import PersonInput

# The hundred commonest surnames, roughly in order; the weights fall as in a Zipf law.
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩邓冯曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
    "姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
GIVEN = (
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂玉萍红玲芬燕彬斌宇浩凯健俊帆雪云梅鹏飞华国文辉力永民友"
    "志清坚庆若鸣朋建中波宁贵福生龙元全胜学祥才发武新利顺信子昌成康星光天达安岩茂进林有和彪博诚先敬震振壮"
)
CITIES = [
    "4201",
    "4202",
    "4203",
    "4205",
    "4206",
    "4207",
    "4208",
    "4209",
    "4210",
    "4211",
    "4212",
    "4213",
    "4228",
]
STREETS = ("汉江", "人民", "解放", "建设", "朝阳", "北京", "上海", "公园", "车城", "柳林")
REPORTED = date(2020, 2, 1)


class Maker:
    """Draws people from one seed: the same seed, the same people."""

    def __init__(self, seed: int = 20200123) -> None:
        self.random = random.Random(seed)
        self.weights = list(accumulate(1 / (rank + 5) for rank in range(len(SURNAMES))))

    def many(self, n: int) -> Iterator[PersonInput]:
        return (self.one() for _i in range(n))

    def one(self) -> PersonInput:
        draw = self.random
        surname = draw.choices(SURNAMES, cum_weights=self.weights)[0]
        born = date(1930, 1, 1) + timedelta(days=draw.randrange(32_800))
        man = draw.random() < 0.5
        given = "".join(draw.choices(GIVEN, k=1 if draw.random() < 0.18 else 2))
        has_number, has_birth = draw.random() < 0.6, draw.random() < 0.85
        street = f"{draw.choice(CITIES)}{draw.randrange(1, 9):02}{draw.randrange(1, 13):03}"
        return PersonInput(
            territory_code=f"{street}{draw.randrange(1, 11):03}",
            name=surname + given,
            sex="M" if man else "F",
            date_birth=born if has_birth or has_number else None,
            age_years=REPORTED.year - born.year - (born.month > REPORTED.month),
            age_reported_on=REPORTED,
            id_number=self._number(born, man) if has_number else "",
            id_kind="resident" if has_number else "",
            phone=f"1{draw.choice('3578')}{draw.randrange(10**9):09}" if draw.random() < 0.7 else "",
            address=self._address(),
            source="bench",
        )

    def _address(self) -> str:
        house, block, room = (self.random.randrange(1, most) for most in (300, 30, 3000))
        return f"{self.random.choice(STREETS)}路{house}号{block}栋{room}室"

    def _number(self, born: date, man: bool) -> str:
        place = f"{self.random.choice(CITIES)}99"
        body = f"{place}{born:%Y%m%d}{self.random.randrange(0, 499) * 2 + man:03}"
        return body + ric.calc_check_digit(body + "0")

    def reported_again(self, person: PersonInput) -> PersonInput:
        """The same person as another reporter would write her: no number, one slip somewhere."""
        changed = replace(person, id_number="", id_kind="")
        slip = self.random.randrange(4)
        if slip == 0 and len(person.name) == 3:
            name = person.name[:2] + self.random.choice(GIVEN)
            return replace(changed, name=name)
        if slip == 1 and person.date_birth:
            day = person.date_birth.replace(day=1 + (person.date_birth.day + 8) % 28)
            return replace(changed, date_birth=day)
        if slip == 2:
            return replace(changed, phone="")
        return replace(changed, address="")
