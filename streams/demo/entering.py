"""What people type into fields: realistic, and never the same twice in one field of one person.

That no value comes twice lets the oracle tell from a value which edit it descends from. Two values count as the same when they
differ only in what a system might rewrite: blanks, punctuation, capitals.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.vocabulary import DYNAMICS, MARKETO, RecordKind, System
from streams.demo.saving import DUPLICATE_MARK, Saving
from streams.sync.messages import Value
from streams.sync.policy import FieldRule, Policy
from streams.sync.values import canonical

FIRST_NAMES = (
    "Ada",
    "Grace",
    "Alan",
    "Edsger",
    "Barbara",
    "Ken",
    "Margaret",
    "Linus",
    "Frances",
    "Niklaus",
    "Radia",
    "Tim",
    "Katherine",
    "Donald",
    "Hedy",
    "Claude",
    "Mary",
    "John",
    "Annie",
    "Dennis",
    "Joan",
    "Guido",
    "Sophie",
    "Bjarne",
    "Karen",
    "Rob",
    "Shafi",
    "Leslie",
    "Lynn",
    "Tony",
    "Adele",
    "Robin",
    "Jean",
    "Vint",
    "Evelyn",
    "Whitfield",
)
LAST_NAMES = (
    "Lovelace",
    "Hopper",
    "Turing",
    "Dijkstra",
    "Liskov",
    "Thompson",
    "Hamilton",
    "Torvalds",
    "Allen",
    "Wirth",
    "Perlman",
    "Lee",
    "Johnson",
    "Knuth",
    "Lamarr",
    "Shannon",
    "Jackson",
    "Backus",
    "Easley",
    "Ritchie",
    "Clarke",
    "Rossum",
    "Wilson",
    "Jones",
    "Pike",
    "Goldwasser",
    "Lamport",
    "Conway",
    "Hoare",
    "Goldberg",
    "Milner",
    "Bartik",
    "Cerf",
    "Berezin",
    "Diffie",
    "Keller",
    "Spencer",
    "Bos",
    "Meyer",
    "Novak",
    "Kim",
    "Sato",
    "Okafor",
    "Silva",
    "Haddad",
    "Kowalski",
)
TITLES = ("Account Manager", "Buyer", "Head of Marketing", "Sales Engineer", "Controller", "Operations Lead", "Analyst")
COMPANIES = ("Northwind", "Contoso", "Fabrikam", "Adventure Works", "Tailspin", "Litware", "Proseware", "Wingtip")
STREETS = ("Mill Lane", "High Street", "Elm Road", "Harbour Way", "Station Square", "Park Avenue")
CITIES = ("Utrecht", "Leeds", "Porto", "Graz", "Turku", "Lyon", "Boston", "Osaka", "Nairobi", "Lima", "Pune", "Cork")
STATES = ("Ohio", "Texas", "Bavaria", "Ontario", "Utah", "Kent", "Kerala", "Victoria", "Oregon", "Sonora")
COUNTRIES = ("Netherlands", "Portugal", "Austria", "Finland", "France", "Japan", "Kenya", "Peru", "India", "Ireland")
SALUTATIONS = ("Ms", "Mr", "Dr", "Prof", "Mx", "Dame", "Sir")
TOPICS = ("Renewal", "Trial", "Pricing", "Upgrade", "Webinar", "Partner programme", "Support plan")
NOTES = ("Met at the fair", "Asked for a quote", "Prefers mail", "Call back", "Knows our product", "Budget approved")

TRIES_MAX = 6

Numbered = Callable[[random.Random, int], str]


def _of(pool: Sequence[str], pattern: str = "{} {}") -> Numbered:
    return lambda rng, number: pattern.format(rng.choice(pool), number)


def _email(rng: random.Random, number: int) -> str:
    domain = rng.choice(COMPANIES).lower().replace(" ", "-")
    return f"{rng.choice(FIRST_NAMES)}.{rng.choice(LAST_NAMES)}.{number}@{domain}.example".lower()


def _phone(rng: random.Random, number: int) -> str:
    return f"+{rng.randint(1, 98)} {rng.randint(10, 99)} {number:07d}"


NUMBERED: Mapping[str, Numbered] = {
    "salutation": _of(SALUTATIONS),
    "first_name": _of(FIRST_NAMES, "{}-{}"),
    "middle_name": _of(FIRST_NAMES, "{}-{}"),
    "last_name": _of(LAST_NAMES, "{}-{}"),
    "job_title": _of(TITLES, "{}, Region {}"),
    "email": _email,
    "phone": _phone,
    "mobile_phone": _phone,
    "fax": _phone,
    "notes": _of(NOTES, "{} ({})"),
    "address": _of(STREETS),
    "address_line_2": _of(STREETS, "c/o {} {}"),
    "address_line_3": _of(STREETS, "Floor {} {}"),
    "city": _of(CITIES),
    "state": _of(STATES),
    "postal_code": lambda rng, number: f"{number:05d} {chr(65 + rng.randrange(26))}{chr(65 + rng.randrange(26))}",
    "country": _of(COUNTRIES),
    "topic": _of(TOPICS, "{} {}"),
    "company": _of(COMPANIES),
}
"""Canonical field name -> a text with a number in it that nobody else gets."""

BY_TYPE: Mapping[str, Callable[[random.Random, int], Value]] = {
    "text": _of(NOTES),
    "email": _email,
    "phone": _phone,
    "url": lambda rng, number: f"https://www.{rng.choice(COMPANIES).lower().replace(' ', '-')}.example/{number}",
    "integer": lambda rng, number: number,
    "decimal": lambda rng, number: number * 1000 + 0.25,
    "date": lambda rng, number: f"{2000 + number % 90}-{1 + number % 12:02d}-{1 + number % 28:02d}",
    "datetime": lambda rng, number: f"20{10 + number % 80}-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}Z",
}


class Breaking(NamedTuple):
    """A way to enter what the other system won't take."""

    name: str
    sender: System
    how: str
    length_max: int = 0


class Inventor:
    """Thinks up values. `saving`: the systems' habits, whose defaults count as taken.

    `few`: people enter nothing but these texts, again and again; then the oracle can only say whether both systems agree.
    """

    def __init__(
        self,
        policy: Policy,
        rng: random.Random,
        saving: Mapping[System, Saving],
        spoiling: float = 0.0,
        few: tuple[str, ...] = (),
    ) -> None:
        self.policy, self.random, self.spoiling, self.few = policy, rng, spoiling, few
        self._number = 1000
        self._used: dict[tuple[str, str], set[object]] = {}
        self._taken = {rule.name: set(_taken(rule, saving[DYNAMICS])) for rule in policy.fields.values()}
        self.breakings = tuple(_breakings(policy))

    def fresh(self, person_key: str, rule: FieldRule) -> Value:
        """A canonical value that this field of this person never held; None when there is none left."""
        if self.few and rule.type == "text":
            return self.random.choice(self.few)
        used = self.used(person_key, rule.name)
        for _ in range(TRIES_MAX):
            value = self._any(rule)
            if fingerprint(value) not in used:
                used.add(fingerprint(value))
                return self._spoiled(rule, value)
        return None

    def used(self, person_key: str, name: str) -> set[object]:
        """Fingerprints of all that the field held."""
        key = (person_key, name)
        used = self._used.get(key)
        if used is None:
            used = self._used[key] = set(self._taken[name])
        return used

    def any(self, rule: FieldRule) -> Value:
        """A value for a new record, in canonical form."""
        return self._spoiled(rule, self._any(rule))

    def note_new(self, person_key: str, values: Mapping[str, Value]) -> None:
        """A new person holds these values, by canonical name; in the other fields an empty value has been there already."""
        for name in self._taken:
            value = values.get(name)
            self.used(person_key, name).add(fingerprint(value))

    def may_clear(self, person_key: str, name: str) -> bool:
        """Whether the field was never empty."""
        return fingerprint(None) not in self.used(person_key, name)

    def broken(self, person_key: str, breaking: Breaking) -> Value:
        """A value that the other system won't take, in canonical form."""
        self._number += 1
        text = _BROKEN[breaking.how](self._number, breaking.length_max)
        self.used(person_key, breaking.name).add(fingerprint(text))
        return text

    def _any(self, rule: FieldRule) -> Value:
        if rule.options is not None:
            label = self.random.choice(list(rule.options))
            return (label,) if rule.type == "options" else label
        if rule.type == "boolean":
            return self.random.random() < 0.5
        self._number += 1
        return (NUMBERED.get(rule.name) or BY_TYPE[rule.type])(self.random, self._number)

    def _spoiled(self, rule: FieldRule, value: Value) -> Value:
        """As people really type: blanks around, a small first letter."""
        if rule.type != "text" or not isinstance(value, str) or self.random.random() >= self.spoiling:
            return value
        return self.random.choice(
            (f"  {value}", f"{value} ", value[0].lower() + value[1:], f" {value[0].lower()}{value[1:]} ")
        )


def fingerprint(value: Value) -> object:
    """What stays of a value whatever a system rewrites."""
    if isinstance(value, str):
        return re.sub(r"[\W_]", "", value).lower()
    return (type(value).__name__, value)


def _taken(rule: FieldRule, saving: Saving) -> Iterator[object]:
    if rule.default is not None:
        yield fingerprint(rule.default)
    kinds: tuple[RecordKind, ...] = ("lead", "contact")
    for kind in kinds:
        value = saving.defaults.get(kind, {}).get(rule.column(kind) or "")
        if value is not None:
            yield fingerprint(canonical(rule, DYNAMICS, value))


def _breakings(policy: Policy) -> Iterator[Breaking]:
    """What Marketo takes and Dynamics doesn't, and the other way round."""
    for rule in policy.fields.values():
        if rule.direction != "both" or rule.computed is not None or not (rule.marketo and rule.lead):
            continue
        person = policy.rules["person"].get(rule.marketo)
        lead = policy.rules["lead"].get(rule.lead)
        if rule.type == "text" and lead is not None and 20 <= (lead.length_max or 0) <= 200:
            yield Breaking(rule.name, MARKETO, "too_long", lead.length_max or 0)
        if rule.type == "text" and rule.name == "job_title":
            yield Breaking(rule.name, MARKETO, "duplicate")
        if lead is not None and lead.required and rule.default is None:
            yield Breaking(rule.name, MARKETO, "emptied")
        if rule.type == "option":
            yield Breaking(rule.name, MARKETO, "no_option")
        if person is not None and person.format in ("email", "phone") and rule.type in ("email", "phone"):
            yield Breaking(rule.name, DYNAMICS, "malformed")


_BROKEN: Mapping[str, Callable[[int, int], Value]] = {
    "too_long": lambda number, length_max: f"Title {number} " + "x" * length_max,
    "duplicate": lambda number, length_max: f"Title {number} {DUPLICATE_MARK}",
    "emptied": lambda number, length_max: None,
    "no_option": lambda number, length_max: f"Word {number} that no list has",
    "malformed": lambda number, length_max: f"nº ~{number} not one",
}
