"""Route of who may do what: the registered people with their roles, and every act with the least role. Registered by
app.api.factory. Roles are given at the command line (`nightdesk people`): no route here writes."""

from fastapi import APIRouter

from app.api.context import At, Who
from app.api.models import ApiModel
from app.people.authority import ACTS
from app.people.identity import Role, read_people, two_people

router = APIRouter(prefix="/api", tags=["session"])


class PersonView(ApiModel):
    """A registered person."""

    name: str
    role: Role


class ActView(ApiModel):
    """Something that people do, and the least role that may."""

    act: str
    least: Role
    about: str


class PeopleView(ApiModel):
    """Who may do what. `two_people`: two approve what loosens a live sleeve."""

    items: list[PersonView]
    acts: list[ActView]
    two_people: bool


@router.get("/people")
def people(at: At, _: Who) -> PeopleView:
    """Registered people and their roles; none: every name is believed and may do everything."""
    items = [PersonView(name=name, role=person.role) for name, person in read_people(at.path).items()]
    acts = [ActView(act=name, least=act.least, about=act.about) for name, act in ACTS.items()]
    return PeopleView(items=items, acts=acts, two_people=two_people(at.path))
