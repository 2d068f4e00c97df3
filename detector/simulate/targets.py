"""What tools act on: favourites of the agent, pools shared by its peers, and things that are new in every session."""

from __future__ import annotations

from collections.abc import Callable

from detector.simulate.agent import Agent, agent_name
from detector.simulate.chance import Chance
from detector.simulate.words import FIRMS, NOUNS, person, word

COMPANY = "northwind.example"

TEAMS = ("core", "web", "data", "billing", "mobile", "infra", "search", "growth")
_DIRS = ("src", "tests", "api", "models", "jobs")
_SERVICES = tuple(f"{noun}-{part}" for noun in NOUNS[:24] for part in ("api", "worker", "db"))


class Scene:
    """What one session is about; targets of the same family agree within it.

    Parameters
    ----------
    agent : Agent
        Whose session it is.
    chance : Chance
        The session's draws.
    day : int
        Days since the epoch, for names that carry a date.
    """

    __slots__ = ("agent", "chance", "customer", "day", "item", "repo", "thing")

    def __init__(self, agent: Agent, chance: Chance, day: int) -> None:
        self.agent = agent
        self.chance = chance
        self.day = day
        self.item = chance.getrandbits(20)
        self.customer = chance.popular(24000, 1.6)
        self.repo = self.favourite(3, 420)
        self.thing = chance.getrandbits(16)

    def favourite(self, own: int, pool: int, stray: float = 0.12) -> int:
        """Return one of the agent's own few of a pool, or with chance `stray` any of the pool."""
        if self.chance.random() < stray:
            return self.chance.popular(pool, 2.0)
        return (self.agent.own + 7919 * self.chance.popular(own, 1.8)) % pool


def _ticket(scene: Scene) -> str:
    return f"TCK-{1200000 + scene.item % 700000}"


def _customer(scene: Scene) -> str:
    return f"cust-{10000 + scene.customer}"


def _order(scene: Scene) -> str:
    return f"ORD-{4000000 + (scene.item * 3 + scene.chance.getrandbits(1)) % 3000000}"


def _article(scene: Scene) -> str:
    number = scene.chance.popular(320, 2.5)
    return f"kb/{NOUNS[number % len(NOUNS)]}/{1000 + number}"


def _contact(scene: Scene) -> str:
    draw = scene.chance.random()
    if draw < 0.04:
        number = scene.chance.getrandbits(10)
        return f"{person(number)}@{FIRMS[scene.chance.below(len(FIRMS))]}.example"
    if draw < 0.30:
        number = scene.favourite(5, 260)
        return f"{person(number * 7)}@{FIRMS[number % 12]}.example"
    return f"{person(scene.favourite(9, 640))}@{COMPANY}"


def usual_peers(agent: Agent) -> tuple[str, ...]:
    """Return the four agents an agent usually asks, by how they are drawn; a small fleet has fewer."""
    return tuple(_named(agent, agent.own + 977 * place) for place in range(4))


def _named(agent: Agent, number: int) -> str:
    """Return the name of an agent other than this one."""
    number %= agent.fleet
    return agent_name(number if number != agent.number else (number + 1) % agent.fleet)


def _peer(scene: Scene) -> str:
    agent, chance = scene.agent, scene.chance
    stray = chance.random() < 0.06 and not agent.rotation_s  # the registry names whom one may ask
    return _named(agent, chance.below(agent.fleet) if stray else agent.own + 977 * chance.below(4))


def _channel(scene: Scene) -> str:
    return f"#{TEAMS[scene.favourite(2, len(TEAMS), 0.08)]}-{scene.agent.role.name}"


def _api(scene: Scene) -> str:
    number = scene.favourite(2, 24, 0.05)
    return f"api.{FIRMS[number]}.example"


def _site(scene: Scene) -> str:
    chance = scene.chance
    if chance.random() < (0.07 if scene.agent.role.name == "researcher" else 0.02):
        return f"www.{word(chance.getrandbits(16))}.example"
    number = scene.favourite(12, 700, 0.4)
    return f"{'www' if number % 3 else 'docs'}.{word(number * 131)}.example"


def _repo(scene: Scene) -> str:
    return f"git.{COMPANY}/{TEAMS[scene.repo % len(TEAMS)]}/{NOUNS[scene.repo % len(NOUNS)]}"


def _file(scene: Scene) -> str:
    number = scene.thing + scene.chance.popular(12)
    name = f"{NOUNS[number % len(NOUNS)]}_{NOUNS[number // 40 % len(NOUNS)]}"
    return f"/srv/{TEAMS[scene.repo % len(TEAMS)]}/{NOUNS[scene.repo % len(NOUNS)]}/{_DIRS[number % 5]}/{name}.py"


def _registry(scene: Scene) -> str:
    return "registry.npm.example" if scene.agent.own % 3 == 0 else "packages.python.example"


def _engine(scene: Scene) -> str:
    return "search.lumen.example" if scene.agent.own % 4 else "search.zephyr.example"


def _report(scene: Scene) -> str:
    return f"/shared/reports/{TEAMS[scene.agent.own % len(TEAMS)]}/{scene.day}-{NOUNS[scene.item % len(NOUNS)]}.md"


def _invoice(scene: Scene) -> str:
    return f"INV-2026-{(scene.item * 5 + scene.chance.getrandbits(2)) % 900000:06d}"


def _vendor(scene: Scene) -> str:
    return f"vendor-{100 + scene.favourite(14, 800, 0.3)}"


def _ledger(scene: Scene) -> str:
    return f"ledger/{('emea', 'amer', 'apac')[scene.agent.own % 3]}/{4000 + scene.favourite(6, 60, 0.1)}"


def _service(scene: Scene) -> str:
    return f"{_SERVICES[scene.favourite(5, len(_SERVICES))]}.svc.internal"


def _secret(scene: Scene) -> str:
    return f"vault/{TEAMS[scene.agent.own % len(TEAMS)]}/{_SERVICES[scene.favourite(2, 12, 0.02)]}"


def _schema(scene: Scene) -> str:
    return f"warehouse.{TEAMS[scene.favourite(2, len(TEAMS))]}"


def _table(scene: Scene) -> str:
    number = scene.favourite(10, 180)
    return f"warehouse.{TEAMS[number % len(TEAMS)]}.{NOUNS[number % len(NOUNS)]}_{number // 40}"


def _bucket(scene: Scene) -> str:
    return f"s3://{TEAMS[scene.agent.own % len(TEAMS)]}-reports/{scene.day}/{scene.item % 97}.html"


def _shop(scene: Scene) -> str:
    return f"shop.{FIRMS[scene.favourite(4, 22, 0.1)]}.example"


def _employee(scene: Scene) -> str:
    return f"emp-{10000 + (scene.item * 11) % 5200}"


def _document(scene: Scene) -> str:
    return f"/shared/cv/{scene.day}/{person(scene.item + scene.chance.getrandbits(3)).replace('.', '_')}.pdf"


def _alert(scene: Scene) -> str:
    return f"ALR-{700000 + scene.item % 260000}"


FAMILIES: dict[str, tuple[Callable[[Scene], str], str]] = {
    "ticket": (_ticket, "user"),
    "customer": (_customer, "tool"),
    "order": (_order, "tool"),
    "article": (_article, "tool"),
    "contact": (_contact, "user"),
    "peer": (_peer, "user"),
    "channel": (_channel, "user"),
    "api": (_api, "user"),
    "site": (_site, "user"),
    "repo": (_repo, "user"),
    "file": (_file, "tool"),
    "registry": (_registry, "user"),
    "engine": (_engine, "user"),
    "report": (_report, "none"),
    "invoice": (_invoice, "user"),
    "vendor": (_vendor, "tool"),
    "ledger": (_ledger, "user"),
    "service": (_service, "user"),
    "secret": (_secret, "user"),
    "schema": (_schema, "user"),
    "table": (_table, "tool"),
    "bucket": (_bucket, "user"),
    "shop": (_shop, "user"),
    "employee": (_employee, "user"),
    "document": (_document, "tool"),
    "alert": (_alert, "user"),
}
"""Family of targets -> how one is drawn, and where its value usually comes from."""
