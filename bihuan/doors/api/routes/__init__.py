"""The routers, by the tag under which the description lists them."""

from ninja import Router

from bihuan.doors.api.routes import (
    assistance,
    board,
    cases,
    chains,
    contacts,
    duties,
    figures,
    imports,
    investigations,
    looks,
    loops,
    orders,
    own_codes,
    persons,
    places,
    policy,
    proposals,
    territories,
    verbs,
    visits,
)

ROUTERS: dict[str, Router] = {
    "duties": duties.router,
    "loops": loops.router,
    "cases": cases.router,
    "contacts": contacts.router,
    "chains": chains.router,
    "investigations": investigations.router,
    "looks": looks.router,
    "proposals": proposals.router,
    "persons": persons.router,
    "own codes": own_codes.router,
    "assistance": assistance.router,
    "orders": orders.router,
    "verbs": verbs.router,
    "board": board.router,
    "figures": figures.router,
    "imports": imports.router,
    "policy": policy.router,
    "territories": territories.router,
    "places": places.router,
    "visits": visits.router,
}
