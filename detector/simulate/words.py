"""Word stock for made-up names and free text; plain ASCII without quotes, so it needs no JSON escaping."""

from __future__ import annotations

from detector.simulate.chance import Chance

FIRST = tuple(
    "anna ben carla david elena farid grace hugo irene jonas kemal laura marek nadia omar petra quentin rosa"
    " samir tanya ursula viktor wanda yusuf zoe bela chen dora emil fatima".split()
)
LAST = tuple(
    "adler bauer costa dubois evans fischer garcia haas ivanov jensen kovacs lopez meyer novak okafor petrov"
    " quinn rossi schmidt tanaka ueda vargas weber yilmaz zhang berg castro diaz eklund fuchs".split()
)
FIRMS = tuple(
    "acorn bluefin cobalt delta elmwood fjord granite harbor inkwell juniper kestrel lumen maple nimbus orchard"
    " pioneer quartz redwood summit tundra umber vertex willow xenon yarrow zephyr anchor birch cedar drift".split()
)
NOUNS = tuple(
    "invoice order account report latency refund contract release parser schedule payment login index cache queue"
    " timeout shipment policy export import quota margin budget forecast alert gateway session token template"
    " migration dashboard profile summary ledger catalog review onboarding interview pipeline incident".split()
)
VERBS = tuple(
    "find compare check update explain list fix review summarise trace collect verify prepare track merge"
    " rename split adjust confirm renew".split()
)
TRAITS = tuple(
    "late open missing duplicate monthly failed slow new pending large recent quarterly broken internal shared"
    " closed early wrong partial urgent".split()
)
STEMS = tuple(
    "ba be bi bo da de di do ga ge go ka ke ki ko la le li lo ma me mi mo na ne ni no pa pe po ra re ri ro"
    " sa se si so ta te ti to va ve vi vo za ze zo".split()
)


def word(number: int) -> str:
    """Return a pronounceable name for a whole number; different below 110,592."""
    size = len(STEMS)
    return STEMS[number % size] + STEMS[number // size % size] + STEMS[number // (size * size) % size]


def phrase(chance: Chance) -> str:
    """Return a short free text, as a user or a model writes into a query."""
    verb, trait, noun = (
        VERBS[chance.below(len(VERBS))],
        TRAITS[chance.below(len(TRAITS))],
        NOUNS[chance.below(len(NOUNS))],
    )
    draw = chance.getrandbits(3)
    if draw < 3:
        return f"{verb} {trait} {noun}"
    other = NOUNS[chance.popular(len(NOUNS))]
    if draw < 6:
        return f"{trait} {noun} {other} {2024 + draw % 3}"
    return f"{verb} the {trait} {noun} for {FIRMS[chance.below(len(FIRMS))]} and {other}"


def person(number: int) -> str:
    """Return a mailbox name for a whole number."""
    return f"{FIRST[number % len(FIRST)]}.{LAST[number // len(FIRST) % len(LAST)]}"
