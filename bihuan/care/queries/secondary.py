"""Contacts of contacts: who is one, and what the tests of the close contact between say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bihuan.cases.models import Test
from bihuan.cases.rules import TestResult
from bihuan.registry import scope
from bihuan.registry.models import Person
from bihuan.tracing.models import Contact, ContactProposal, Exposure
from bihuan.tracing.models.proposals import CONFIRMED
from bihuan.tracing.rules.criteria import Criterion

WORD = Criterion.SECONDARY.value


def secondary_among(contacts: Iterable[Contact]) -> set[int]:
    """The ids of those who are contacts of a contact and nothing nearer: every naming that stands says so.

    Once the one between is a case, the further exposure to that case makes a close contact of them.
    """
    named = [contact.pk for contact in contacts if _says_so(contact.criterion)]
    if not named:
        return set()
    nearer = Exposure.objects.filter(contact__in=named, end__isnull=True).exclude(criterion__startswith=WORD)
    return set(named) - set(nearer.values_list("contact_id", flat=True))


def _says_so(criterion: str) -> bool:
    return criterion.partition(":")[0].strip() == WORD


def results_between(contacts: Sequence[int]) -> dict[int, list[list[str]]]:
    """For each of these contacts (ids): the results of every close contact between, in the order of sampling.

    Those between are known from the proposals that were confirmed; they may live elsewhere, so the caller
    shows nothing of this but the answer.
    """
    from bihuan.tracing.actions.pseudonyms import persons_of  # late: it brings the visit store along

    with scope.system():
        told = ContactProposal.objects.filter(contact__in=contacts, state=CONFIRMED)
        behind: dict[int, set[int]] = defaultdict(set)
        for contact_id, encounters in told.values_list("contact_id", "encounters"):
            behind[contact_id].update(key for one in encounters for key in one.get("other") or ())
        people = persons_of({key for keys in behind.values() for key in keys})
        found = _results(set(people.values()))
    return {
        contact: [found.get(person, []) for person in {people[key] for key in keys if key in people}]
        for contact, keys in behind.items()
    }


def _results(people: set[int]) -> dict[int, list[str]]:
    """The results of people (as joined), in the order of sampling."""
    root_of = dict(Person.objects.filter(root_id__in=people).values_list("id", "root_id"))
    rows = Test.objects.filter(person_id__in=list(root_of), subject_kind="contact", sampled_at__isnull=False)
    rows = rows.exclude(result=TestResult.PENDING.value).order_by("sampled_at", "id")
    found: dict[int, list[str]] = defaultdict(list)
    for person_id, result in rows.values_list("person_id", "result"):
        found[root_of[person_id]].append(result)
    return found
