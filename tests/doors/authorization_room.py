"""One county's real facts, everybody who might look at them, and every address by which they might.

`seed` plays a case, a contact, an order, a check, a test, an appeal and an import through the verbs.
`web_visits` and `api_visits` fill every address of the doors with the numbers of those facts; an address that
is not filled here fails the test that walks over them.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import quote

from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from bihuan.care import actions as care
from bihuan.cases.actions import CaseInput, record_test, report_case
from bihuan.doors.api.operation import DECLARED
from bihuan.doors.api.service import api
from bihuan.doors.exchange import jobs
from bihuan.loops.models import Duty, Loop
from bihuan.registry import clock, scope
from bihuan.registry.people import PersonInput
from bihuan.tracing.actions import ContactInput, assistance, confirm_contact, record_located
from bihuan.tracing.actions.clusters import ClusterInput, open_cluster
from bihuan.tracing.actions.investigate import (
    EntryInput,
    HypothesisInput,
    add_entry,
    add_hypothesis,
    open_investigation,
)
from bihuan.tracing.actions.places import PlaceInput, register_place
from bihuan.tracing.actions.proposals import name_person
from tests.cast import COUNTY, GRID, Cast, Member, make_cast
from tests.doors.api_room import ROOT, Api, token_for
from tests.recorded import recorded
from tests.rooms.care_room import local

SICK, EXPOSED = "尉迟明珠", "欧阳晓岚"
MASKED = ("尉迟*珠", "欧阳*岚", "尉迟明*", "欧阳晓*")
PHONE, ID_NUMBER = "13871234567", "420303198103040022"
ADDRESS = "汉江路128号9单元"
SETTING, FACILITY, NOTE = "同桌吃年夜饭", "柳林发热门诊", "夜里干咳三声"
LOCAL_ID = "ZW-0214-77"
NOON = "02-14 12:00"
LATER = "02-15 09:00"

VISIT_ROW = {"event": "e1", "person": PHONE, "place": "nowhere", "start": "2020-02-15 08:00"}

#: What belongs to each class of fields, as text that nothing else on a page holds.
MARKERS = {
    "identity": (SICK, EXPOSED, PHONE, ID_NUMBER, "1981-03-04"),
    "location": (ADDRESS,),
    "health": (SETTING, FACILITY, NOTE),
}


@dataclass(frozen=True)
class Facts:
    """Numbers of what was seeded."""

    case: str
    contact: str
    order: str
    appeal: str
    loop: str
    duty: int
    job: str
    people: dict[str, str]
    duties: tuple[int, ...]
    cluster: str = ""
    request: str = ""
    place: str = ""
    investigation: str = ""
    proposal: str = ""
    entry: int = 0
    hypothesis: int = 0

    @property
    def person(self) -> str:
        return self.people[EXPOSED]

    @property
    def secrets(self) -> frozenset[str]:
        """All that tells of these people, each distinct enough to be looked for in any text."""
        numbers = (
            self.case,
            self.contact,
            self.order,
            self.appeal,
            self.loop,
            self.job,
            self.cluster,
            self.request,
            self.investigation,
            self.proposal,
            *self.people.values(),
        )
        duties = [f"D-{n}" for n in self.duties] + [f"/duties/{n}/" for n in self.duties]
        markers = [text for texts in MARKERS.values() for text in texts if text != "1981-03-04"]
        return frozenset((*numbers, *duties, *markers, *MASKED, LOCAL_ID, "138****4567", "汉江路**"))

    def secrets_of(self, subjects: Iterable[str]) -> frozenset[str]:
        """The secrets of some of the subjects only."""
        found: set[str] = set()
        for subject in subjects:
            if subject == self.case:
                found |= {self.case, self.people[SICK], SICK, FACILITY, LOCAL_ID, *MASKED[::2]}
            else:
                named = {self.contact, self.order, self.appeal, self.loop, self.people[EXPOSED]}
                found |= named | {EXPOSED, PHONE, ID_NUMBER, SETTING, NOTE, *MASKED[1::2]}
        return frozenset(found)


def cast_and_facts() -> tuple[Cast, Facts]:
    """The cast, in office since before the outbreak, and the facts; played once a process."""
    return recorded("facts", _played)


def _played() -> tuple[Cast, Facts]:
    with clock.frozen(local("01-01 08:00")):
        cast = make_cast()
    return cast, seed(cast)


def seed(cast: Cast) -> Facts:
    """Play the facts through the verbs, by the posts that do such things."""
    by = cast.officer
    with by.acting(), clock.frozen(local(NOON)):
        case = report_case(
            CaseInput(
                person=PersonInput(territory_code=GRID, name=SICK, sex="F", age_years=50, address=ADDRESS),
                territory_code=GRID,
                classification="confirmed",
                date_onset=date(2020, 2, 10),
                date_report=date(2020, 2, 13),
                facility=FACILITY,
                local_id=LOCAL_ID,
            ),
            actor=by.actor,
        )
        record_test(case.public_id, result="positive", at=local(NOON), actor=by.actor)
        contact = confirm_contact(
            ContactInput(
                person=PersonInput(
                    territory_code=GRID, name=EXPOSED, date_birth=date(1981, 3, 4), id_number=ID_NUMBER,
                    phone=PHONE, address=ADDRESS,
                ),
                territory_code=GRID, case=case.public_id, setting=SETTING, exposure_last=date(2020, 2, 12),
            ),
            actor=by.actor,
        )  # fmt: skip
        record_located(contact.public_id, at=local(NOON), actor=by.actor)
    with cast.command.acting(), clock.frozen(local(NOON)):
        wanted = care.OrderInput(contact=contact.public_id, kind="home", started=local(NOON), place=ADDRESS)
        order = care.record_placed(wanted, actor=cast.command.actor)
    with by.acting(), clock.frozen(local(LATER)):
        check = care.CheckInput(contact=contact.public_id, kind="temperature", value=36.6, note=NOTE)
        care.record_daily_checks([check], actor=by.actor)
        appeal = care.file_appeal(order.public_id, text="请复核", filed_by="本人", actor=by.actor)
        file = io.BytesIO(f"编号,姓名,电话\n{LOCAL_ID},{SICK},{PHONE}\n".encode())
        job = jobs.create_job(file, name="名单.csv", actor=by.actor)
        jobs.set_mapping(job, jobs.guess_mapping(job), territory_code=COUNTY)
        event = ClusterInput(name="年夜饭", territory_code=COUNTY, exposed=12, setting="gathering")
        cluster = open_cluster(event, cases=[case.public_id], actor=by.actor)
        request = assistance.ask(  # of a county that nobody of the cast belongs to
            assistance.AssistanceInput(
                to_territory="429004", need="place_under_observation", reason="no reason",
                person_id=contact.person_id, contact_id=contact.public_id,
            ),
            actor=by.actor,
        )  # fmt: skip
        inquiry = open_investigation(case.public_id, purpose="查明密接", actor=by.actor)
        named = name_person(
            inquiry.public_id, contact.person.public_id, last=local(NOON), place=SETTING, actor=by.actor
        )
        told = EntryInput(date(2020, 2, 11), place_text=ADDRESS, companions=EXPOSED, activity="聚餐")
        entry = add_entry(inquiry.public_id, told, actor=by.actor).pk
        guess = add_hypothesis(inquiry.public_id, HypothesisInput("household", text=NOTE), actor=by.actor).pk
        place = register_place(PlaceInput("柳林超市", GRID, kind="shop"), actor=by.actor)[1]
    with scope.system():
        care.sweep(local(LATER))
        loop = Loop.objects.get(subject_ref=contact.public_id)
        duties = tuple(Duty.objects.filter(territory_code__startswith=COUNTY).values_list("id", flat=True))
        duty = Duty.objects.filter(loop=loop, state=0).order_by("due_at", "id")[0]
        return Facts(
            case.public_id, contact.public_id, order.public_id, appeal.public_id, loop.public_id, duty.id,
            job.public_id, {SICK: case.person.public_id, EXPOSED: contact.person.public_id}, duties,
            cluster=cluster.public_id, request=request.public_id, place=place,
            investigation=inquiry.public_id, proposal=named.public_id, entry=entry,
            hypothesis=guess,
        )  # fmt: skip


# --- every address ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Address:
    """One pattern of the whole site: its route, its name with namespaces, the view behind it."""

    route: str
    name: str
    view: Any


def addresses(resolver: Any = None, route: str = "", space: str = "") -> Iterator[Address]:
    """Every address Django would resolve."""
    for entry in (resolver or get_resolver()).url_patterns:
        where = route + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from addresses(entry, where, f"{space}{entry.namespace}:" if entry.namespace else space)
        elif isinstance(entry, URLPattern):
            yield Address(where, f"{space}{entry.name}", entry.callback)


@dataclass(frozen=True)
class Visit:
    """One request about the facts. `direct`: its address names one of them, so strangers must not find it."""

    name: str
    method: str
    url: str
    body: Any = None
    direct: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


SEARCHES = (
    "",
    f"territory={COUNTY}",
    "as_of=2020-02-15",
    f"q={quote(EXPOSED[:3])}",
    f"q={PHONE}",
    f"q={LOCAL_ID}",
)
FILES = ("export=csv", "export=xlsx")


def web_pages(facts: Facts) -> dict[str, list[dict[str, Any]]]:
    """How to fill the addresses of the web that take numbers; the rest take none."""
    subjects = [facts.case, facts.contact, facts.order, facts.loop, facts.person, f"D-{facts.duty}"]
    return {
        **{name: [{"duty_id": facts.duty}] for name in _DUTY_PAGES},
        "gap": [{"key": key} for key in ("isolate", "admit", "test", "treat")],
        "case": [{"public_id": facts.case}],
        "contact": [{"public_id": facts.contact}],
        "person": [{"public_id": one} for one in facts.people.values()],
        "subject": [{"public_id": one} for one in subjects],
        "act": [
            {"kind": "contact", "public_id": facts.contact, "key": "contact.check"},
            {"kind": "case", "public_id": facts.case, "key": "case.revise"},
            {"kind": "order", "public_id": facts.order, "key": "order.appeal"},
        ],
        "loop": [{"public_id": facts.loop}],
        **{name: [{"job_id": facts.job}] for name in _JOB_PAGES},
        "policy_value": [{"key": "clocks.report_hours"}],
        **{name: [{"public_id": facts.place}] for name in _PLACE_PAGES},
        "entry_code": [{"public_id": one} for one in facts.people.values()],
        "own_code": [{"public_id": one} for one in facts.people.values()],
        "person_correct": [{"public_id": one} for one in facts.people.values()],
        "same_person": [{"public_id": one} for one in facts.people.values()],
        "same_decide": [{"public_id": facts.people[SICK], "other": facts.people[EXPOSED]}],
        "own_appeal": [{"order_id": facts.order}],
        "chain_card": [{"public_id": facts.case}],
        "assistance_one": [{"public_id": facts.request}],
        "peer_suspend": [{"installation": "N-0000000000"}],
        "assistance_do": [
            {"public_id": facts.request, "said": said}
            for said in ("end", "answer", "request", "link", "settle")
        ],
        "proposals": [{"public_id": facts.investigation}],
        "proposals_do": [
            {"public_id": facts.investigation, "what": what} for what in ("find", "ask", "confirm", "name")
        ],
        "proposal": [{"public_id": facts.proposal}],
        "chains_export": [{"what": name} for name in ("links.csv", "cases.csv", "chains.graphml")],
        "investigation_new": [{"public_id": facts.case}],
        **{name: [{"public_id": facts.investigation}] for name in _INQUIRY_PAGES},
        "investigation_entry": [{"public_id": facts.investigation, "entry_id": facts.entry}],
        "investigation_do": [
            {"public_id": facts.investigation, "what": what}
            for what in ("draft", "entry", "judge", "hypothesis", "standing", "close", "withdraw", "reopen")
        ],
        **{name: [{"public_id": facts.cluster}] for name in ("cluster", "cluster_edit", "cluster_do")},
    }


_DUTY_PAGES = ("duty", "duty_why", "duty_undo", "duty_waive", "duty_hand_over")
_INQUIRY_PAGES = ("investigation", "investigation_report", "look_place")
_PLACE_PAGES = ("place", "place_edit", "place_active", "gate", "gate_records")
_JOB_PAGES = ("import_job", "import_columns", "import_preview", "import_ledger", "import_mapping")
#: Pages that hold lists, to be searched and taken as files.
_LISTS = (
    "duties",
    "cases",
    "contacts",
    "people",
    "same_pairs",
    "board",
    "board_figures",
    "gap",
    "clearance",
    "places",
    "reads",
    "my_duties",
    "chains",
    "chains_data",
    "chains_statistics",
    "chains_list",
    "clusters",
    "investigations",
    "look_common",
)
#: Not about the people of the facts: rules; other installations; a gate opens to who records there, and
#: somebody's own page to who holds its code, of which the address says nothing.
_PUBLIC_DATA = ("gap", "policy_value", "chains_export", "gate", "peer_suspend", "own_appeal")


def web_forms(facts: Facts) -> dict[str, dict[str, Any]]:
    """What is sent to the pages that change something."""
    return {
        "duties_bulk": {"duty": [str(n) for n in facts.duties], "do": "waive", "note": "no reason"},
        "duty": {"value": "36.5", "at": "2020-02-15T09:00", "full": "1"},
        "duty_undo": {},
        "duty_waive": {"reason": "no reason"},
        "duty_hand_over": {"reason": "no reason", "to": "T-0000000000"},
        "act": {
            "value": "36.5",
            "reason": "no reason",
            "classification": "discarded",
            "text": "x",
            "filed_by": "y",
        },
        "import_job": {},
        "import_columns": {"territory": COUNTY},
        "import_preview": {},
        "save_view": {"list": "cases", "name": "mine", "query": f"territory={COUNTY}"},
        "switch_post": {"post": "1"},
        "theme": {"theme": "dark"},
        "peer_own": {"name": "", "url": "http://elsewhere", "serves": ""},
        "peer_key": {},
        "peer_add": {"card": "{}"},
        "peer_suspend": {"reason": "no reason"},
        "assistance_do": {"outcome": "found"},
        "assistance_new": {
            "contact": facts.contact,
            "to_territory": "429004",
            "need": "locate",
            "reason": "no reason",
        },
        "glass_end": {},
        "own": {"code": "0000-0000-0000", "answer": "0000"},
        "own_appeal": {"text": "x"},
        "own_leave": {},
        "own_code": {},
        "person_correct": {"name": "改名", "sex": "U", "reason": "no reason"},
        "same_person": {"do": "name", "other": facts.person},
        "same_decide": {"do": "decide", "answer": "two", "reason": "no reason"},
        "own_codes": {},
        "place_new": {"name": "新店", "kind": "shop", "territory_code": GRID},
        "place_edit": {"name": "改名", "kind": "shop", "territory_code": GRID},
        "place_active": {"active": "1"},
        "places_load": {},
        "gate_records": {},
        "proposals_do": {
            "proposal": facts.proposal,
            "criterion": "other",
            "reason": "no reason",
            "purpose": "no purpose",
        },
        "proposal": {"do": "take_back", "reason": "no reason"},
        "investigation_new": {"purpose": "no reason"},
        "investigation_entry": {"day": "2020-02-11", "place_text": "x", "source": "interview"},
        "investigation_report": {},
        "look_place": {
            "place": "x",
            "since": "2020-02-10T00:00",
            "until": "2020-02-11T00:00",
            "purpose": "no reason",
        },
        "look_common": {"purpose": "no reason", "one": [facts.investigation, "I-0000000000"]},
        "investigation_do": {"purpose": "", "reason": "", "summary": "", "entry": [str(facts.entry)]},
        "cluster_new": {"name": "x", "territory": COUNTY, "setting": "unknown", "cases": facts.case},
        "cluster_edit": {"name": "x", "territory": COUNTY, "setting": "unknown"},
        "cluster_do": {"do": "remove", "case": facts.case, "reason": "no reason"},
    }


#: Forms that are not sent in the walk: they would open what is closed (glass), and are tested by themselves.
NOT_SENT = frozenset({"glass", "importing", "settings", "home"})


def web_visits(facts: Facts) -> list[Visit]:
    """Every page, filled, searched, taken as a file; and every form."""
    pages, forms, visits = web_pages(facts), web_forms(facts), []
    for address in addresses():
        if not address.name.startswith("web:"):
            continue
        name = address.name.removeprefix("web:")
        for values in pages.get(name, [{}]):
            url = reverse(address.name, kwargs=values)
            direct = bool(values) and name not in _PUBLIC_DATA
            queries = (*SEARCHES, *FILES) if name in _LISTS else ("",)
            visits += [Visit(name, "GET", f"{url}?{q}" if q else url, None, direct) for q in queries]
            if name in forms:
                visits.append(Visit(name, "POST", url, forms[name], direct))
    return visits


def api_values(facts: Facts) -> dict[str, str]:
    return {
        "duty": f"D-{facts.duty}", "loop": facts.loop, "case": facts.case, "contact": facts.contact,
        "person": facts.person, "order": facts.order, "job": facts.job, "code": COUNTY,
        "pack": "hubei-2020-02", "cluster": facts.cluster, "request_id": facts.request,
        "place": facts.place, "investigation": facts.investigation, "proposal": facts.proposal,
        "hypothesis": str(facts.hypothesis), "merge": "1",
    }  # fmt: skip


def api_fills(facts: Facts) -> dict[str, list[dict[str, str]]]:
    """Operations whose address takes more than one of the plain numbers."""
    return {
        "get_gap": [{"key": key} for key in ("isolate", "admit", "test", "treat")],
        "get_rule": [{"key": "clocks.report_hours"}],
        "get_person": [{"person": one} for one in facts.people.values()],
        "correct_person": [{"person": one} for one in facts.people.values()],
        "get_held": [{"person": one} for one in facts.people.values()],
        "perform_verb_on_many": [{"kind": "contacts", "verb": "contact.lost"}],
        "perform_verb": [
            {"kind": "contacts", "subject": facts.contact, "verb": "contact.check"},
            {"kind": "cases", "subject": facts.case, "verb": "case.revise"},
            {"kind": "orders", "subject": facts.order, "verb": "order.appeal"},
            {"kind": "appeals", "subject": facts.appeal, "verb": "appeal.decide"},
        ],
    }


def api_bodies(facts: Facts) -> dict[str, Any]:
    """What is sent to the operations that change something: always about the facts."""
    one = {"territory_code": GRID, "person": {"name": "新人"}}
    fields = {
        "contact.check": {"value": 36.5},
        "case.revise": {"classification": "discarded", "reason": "no reason"},
        "order.appeal": {"text": "x", "filed_by": "y"},
        "appeal.decide": {"decision": "rejected", "reason": "no reason"},
    }
    return {
        "report_case": one,
        "report_cases": {"cases": [one]},
        "confirm_contact": {**one, "case": facts.case},
        "confirm_contacts": {"contacts": [one]},
        "complete_duties": {"duties": [f"D-{n}" for n in facts.duties]},
        "waive_duties": {"duties": [f"D-{n}" for n in facts.duties], "reason": "no reason"},
        "complete_duty": {"fields": {"value": 36.5}},
        "waive_duty": {"reason": "no reason"},
        "undo_duty": {"reason": "no reason"},
        "hand_over_duty": {"to": "T-0000000000", "reason": "no reason"},
        "take_back_duty": {"reason": "no reason"},
        "perform_verb_on_many": {"subjects": [facts.contact], "fields": {"reason": "no reason"}},
        "perform_verb": fields,
        "set_mapping": {"mapping": "mapping: x\nkind: linelist\n"},
        "start_import": {},
        "ask_assistance": {
            "person": facts.person,
            "to_territory": "429004",
            "need": "locate",
            "reason": "no reason",
        },
        "accept_assistance": {},
        "return_assistance": {"reason": "wrong_place"},
        "answer_assistance": {"outcome": "found"},
        "end_assistance": {},
        "link_assistance": {"contact": facts.contact},
        "settle_assistance": {},
        "give_own_codes": {"persons": list(facts.people.values())},
        "take_back_own_code": {},
        "create_import": None,
        "register_many_places": {"places": [{"name": "新店", "territory_code": GRID}]},
        "update_place": {"name": "改名"},
        "correct_person": {"name": "改名", "reason": "no reason"},
        "join_persons": {"keep": facts.person, "other": "P-0000000000", "reason": "no reason"},
        "tell_persons_apart": {"one": facts.person, "other": "P-0000000000", "reason": "no reason"},
        "reopen_persons": {"one": facts.person, "other": "P-0000000000", "reason": "no reason"},
        "part_persons": {"reason": "no reason"},
        "record_visits": {"visits": [VISIT_ROW]},
        "record_visit_table": None,
        "open_investigation": {"case": facts.case, "purpose": "no reason"},
        "add_track_entries": {"entries": [{"day": "2020-02-11", "place_text": "x"}]},
        "judge_track_entries": {"entries": [facts.entry], "reason": "no reason"},
        "draft_track": {"purpose": "no reason"},
        "add_hypothesis": {"kind": "household"},
        "judge_hypothesis": {"standing": "possible"},
        "close_investigation": {"summary": "x"},
        "reopen_investigation": {"reason": "no reason"},
        "withdraw_investigation": {"reason": "no reason"},
        "look_at_track": {"purpose": "no reason"},
        "look_at_met": {"purpose": "no reason"},
        "look_at_place": {
            "purpose": "no reason",
            "place": "x",
            "since": "2020-02-10T00:00:00+08:00",
            "until": "2020-02-11T00:00:00+08:00",
        },
        "look_at_common": {"purpose": "no reason", "investigations": [facts.investigation, "I-0000000000"]},
        "find_contacts": {"purpose": "no reason"},
        "name_contact": {"person": facts.person, "last": "2020-02-14T12:00:00+08:00"},
        "confirm_proposed_contacts": {
            "proposals": [facts.proposal],
            "criterion": "other",
            "reason": "no reason",
        },
        "dismiss_proposed_contacts": {"proposals": [facts.proposal], "reason": "no reason"},
        "reconsider_proposed_contacts": {"proposals": [facts.proposal], "reason": "no reason"},
        "send_proposed_contacts": {"proposals": [facts.proposal], "reason": "no reason"},
        "propose_passengers": None,
        "ask_gates": {"purpose": "no reason"},
        "ask_gates_for_many": {"proposals": [facts.proposal], "purpose": "no reason"},
        "resolve_proposed_contact": {"person": facts.person},
        "take_back_proposed_contact": {"reason": "no reason"},
        "open_cluster": {"name": "x", "territory_code": COUNTY, "cases": [facts.case]},
        "add_cluster_cases": {"cases": [facts.case]},
        "remove_cluster_case": {"case": facts.case, "reason": "no reason"},
        "close_cluster": {"reason": "no reason"},
        "merge_cluster": {"into": facts.cluster, "reason": "no reason"},
    }


_ABOUT_NOBODY = {"get_gap", "get_rule", "get_territory", "list_children", "get_pack"}


@cache
def _asked_with() -> dict[str, frozenset[str]]:
    """The parameters that each reading operation takes."""
    found = {}
    for methods in api.get_openapi_schema()["paths"].values():
        if "get" in methods:
            taken = methods["get"].get("parameters", [])
            named = frozenset(one["name"] for one in taken if one["in"] == "query")
            found[methods["get"]["operationId"]] = named
    return found


def _searches(name: str) -> list[str]:
    """An operation without a search, and with each that it takes."""
    taken = _asked_with()[name]
    if name == "diff_packs":
        return ["a=hubei-2020-02&b=hubei-2020-05"]
    more = "limit=500" if "limit" in taken else ""
    wanted = [q for q in SEARCHES if not q or q.partition("=")[0] in taken]
    return ["&".join(part for part in (q, more) if part) for q in wanted]


def api_visits(facts: Facts) -> list[Visit]:
    """Every operation, filled; KeyError for one that this module does not know how to fill."""
    plain, fills, bodies, visits = api_values(facts), api_fills(facts), api_bodies(facts), []
    for name, declared in DECLARED.items():
        params = re.findall(r"{(\w+)}", declared.path)
        for values in fills.get(name) or [{p: plain[p] for p in params}]:
            url = ROOT + declared.path.format(**{**plain, **values})
            direct = bool(params) and name not in _ABOUT_NOBODY
            if declared.method == "GET":
                visits += [
                    Visit(name, "GET", f"{url}?{q}" if q else url, None, direct) for q in _searches(name)
                ]
                continue
            body = bodies[name]
            if name == "perform_verb":
                body = {"fields": body[values["verb"]]}
            visits.append(Visit(name, declared.method, url, body, direct))
    return visits


# --- visiting -----------------------------------------------------------------------------------------


@dataclass
class Reader:
    """Somebody with a browser and a token. `api` None: no token can act for her."""

    name: str
    browser: Client = field(default_factory=lambda: Client(headers={"accept-language": "zh-hans"}))
    api: Api | None = None
    asked: str = ""

    @classmethod
    def of(cls, name: str, who: Member | Any) -> Reader:
        made = cls(name)
        account = getattr(who, "account", who)
        made.browser.force_login(account, backend="allauth.account.auth_backends.AuthenticationBackend")
        if isinstance(who, Member):
            made.api = Api(token_for(who))
        return made

    def go(self, visit: Visit) -> Answer:
        if visit.url.startswith(ROOT):
            return Answer(visit, self._api(visit))
        if visit.method == "GET":
            return Answer(visit, self.browser.get(visit.url), self.asked)
        if visit.name == "duties_bulk":  # its error, which names a duty asked about, stands on the next page
            self.asked += " ".join(f"D-{n}" for n in visit.body["duty"])
        return Answer(visit, self.browser.post(visit.url, visit.body), self.asked)

    def follow(self, answer: Answer) -> Answer:
        """Where an answer leads to; the answer itself when it leads nowhere."""
        to = answer.response.get("Location", "")
        return self.go(Visit(answer.visit.name, "GET", to)) if to.startswith("/") else answer

    def _api(self, visit: Visit) -> Any:
        api = self.api or Api("bh_none")
        path = visit.url.removeprefix(ROOT)
        if visit.name == "create_import":
            return api.send(path, {"file": io.BytesIO("编号,姓名\n1,新人\n".encode()), "territory": COUNTY})
        if visit.name == "propose_passengers":
            listed = io.BytesIO("name,row\n新人,1\n".encode())
            return api.send(path, {"file": listed, "kind": "train", "ended_at": "2020-02-11"})
        if visit.name == "record_visit_table":
            return api.send(path, {"file": io.BytesIO(",".join(VISIT_ROW).encode() + b"\n")})
        if visit.method == "GET":
            return api.get(path)
        sent = {"PUT": api.put, "PATCH": api.patch}.get(visit.method, api.post)
        return sent(path, visit.body)


@dataclass(frozen=True)
class Answer:
    visit: Visit
    response: Any
    asked_before: str = ""

    @property
    def status(self) -> int:
        return int(self.response.status_code)

    @property
    def text(self) -> str:
        """Everything the answer says: body (unpacked, if it is a spreadsheet) and headers."""
        raw = self.response.getvalue()
        if raw[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(raw)) as book:
                raw = b"\n".join(book.read(name) for name in book.namelist())
        return raw.decode("utf-8", "replace") + "\n".join(f"{k}: {v}" for k, v in self.response.items())

    def leaks(self, secrets: frozenset[str]) -> set[str]:
        """Secrets in the answer that were not in the question (an error may name what was asked for)."""
        asked = self.asked_before + json.dumps([self.visit.url, self.visit.body], ensure_ascii=False)
        asked += "".join(f"/duties/{n}/" for n in re.findall(r"D-(\d+)", asked))
        asked += "".join(f"D-{n}" for n in re.findall(r"/duties/(\d+)/", asked))
        text = self.text
        return {s for s in secrets if _holds(text, s) and s not in asked and quote(s) not in asked}


def _holds(text: str, secret: str) -> bool:
    if secret.startswith("D-"):
        return re.search(rf"(?<![A-Za-z]){secret}(?!\d)", text) is not None  # not COVID-19
    return secret in text


def state_of(territory: str) -> dict[str, str]:
    """A digest of every table's rows at or below a territory: what must not change."""
    with scope.system(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.table_name FROM information_schema.columns c JOIN pg_class p ON p.relname = c.table_name
            WHERE c.table_schema = 'public' AND c.column_name = 'territory_code' AND NOT p.relispartition
              AND p.relkind IN ('r', 'p') AND p.relnamespace = 'public'::regnamespace ORDER BY 1
            """
        )
        tables = [row[0] for row in cursor.fetchall()]
        found = {}
        for table in tables:
            cursor.execute(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM \"{table}\" t"
                " WHERE territory_code >= %s AND territory_code < %s || '~'",
                [territory, territory],
            )
            found[table] = cursor.fetchone()[0]
    return found
