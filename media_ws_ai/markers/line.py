"""The machinery of markers: one definition gives the writer and the reader of a log line.

    @marker("A1", "[TX_METRICS] fps={fps}, …")        the signature names and types the fields
    def tx_metrics(*, fps: Decimal1, …) -> None:
        '''One line of explanation for docs/markers.md.'''

    tx_metrics(fps=50.2, …) -> Line                    render
    parse("[TX_METRICS] fps=50.2, …") -> Parsed        read, by a pattern derived from the same template

No I/O, no clock, no logging: `logs.py` writes lines, this room only makes and reads their text.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, ParamSpec, get_type_hints

from media_ws_ai.markers.fields import Field, PairsField

P = ParamSpec("P")

# The numbers of `logging`, which this room does not import: rules use it, and rules do not log.
INFO: Final = 20
WARNING: Final = 30
ERROR: Final = 40
LEVEL_NAMES: Final = {INFO: "INFO", WARNING: "WARNING", ERROR: "ERROR"}

_HOLE: Final = re.compile(r"\{(\w+)\}")
_ANYTHING: Final = "…"
"""In an older form, as in the audit's tables: any text, or none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One rendered marker, ready to be written.

    `marker` is the definition's name (`tx_metrics`), `level` one of `logging`'s, `text` what the log shows,
    `item` the audited item (`A1`) or `-`.
    """

    marker: str
    level: int
    text: str
    item: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """One marker read from a log: the definition's name, its item, the typed fields as shown."""

    marker: str
    item: str
    fields: dict[str, Any]


class Marker(Generic[P]):
    """One definition; calling it renders a `Line`, `read` is the inverse."""

    def __init__(
        self,
        define: Callable[P, None],
        *,
        item: str,
        template: str,
        level: int,
        older: tuple[str, ...],
        flag: bool,
    ) -> None:
        self.name: Final = define.__name__
        self.item: Final = item
        self.template: Final = template
        self.level: Final = level
        self.older: Final = older
        self.red_flag: Final = flag
        """True when this line by itself fails the item."""
        self.purpose: Final = " ".join((define.__doc__ or "").split())
        self.fields: Final[dict[str, Field]] = _fields_of(define)
        self._defaults: Final = {
            name: parameter.default
            for name, parameter in inspect.signature(define).parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }
        self._holes: Final = self._split(template)
        self._patterns: Final = tuple(self._pattern(each) for each in (template, *older))
        self.prefixes: Final = tuple(_prefix(each) for each in (template, *older))
        """Literal beginning of the template and of each older form."""
        named = {name for _, name, _ in self._holes if name}
        if named != set(self.fields):
            raise TypeError(f"marker {self.name}: template and signature differ: {named ^ set(self.fields)}")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Line:
        if args or not kwargs.keys() <= self.fields.keys():
            raise TypeError(f"marker {self.name} takes keywords {sorted(self.fields)}")
        values: Mapping[str, Any] = {**self._defaults, **kwargs} if self._defaults else kwargs
        shown: list[str] = []
        for literal, name, follows in self._holes:
            shown.append(literal)
            if name:
                shown.append(self._show(name, values, follows))
        return Line(self.name, self.level, "".join(shown), self.item)

    def _show(self, name: str, values: Mapping[str, Any], follows: str) -> str:
        if name not in values:
            raise TypeError(f"marker {self.name} lacks {name}")
        field = self.fields[name]
        value = values[name]
        if isinstance(field, PairsField):
            value = {f"extra_{key}" if key in self.fields else key: each for key, each in value.items()}
        text = field.show(value)
        return _not_forging(text, follows) if field.free and follows else text

    def read(self, text: str) -> dict[str, Any] | None:
        """The typed fields of `text`, or None when it is not this marker. Older forms may lack fields."""
        for pattern in self._patterns:
            match = pattern.fullmatch(text)
            if match:
                return self._typed(match)
        return None

    def _typed(self, match: re.Match[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, text in match.groupdict().items():
            field = self.fields[name]
            value = field.read(text)
            if isinstance(field, PairsField):
                found.update(value)  # type: ignore[call-overload]  # a PairsField reads a dict
            else:
                found[name] = value
        return found

    def _split(self, template: str) -> tuple[tuple[str, str, str], ...]:
        """(literal before, field name or "", literal after unless it ends the template) in order."""
        parts = _HOLE.split(template)
        holes = []
        for at in range(0, len(parts), 2):
            name = parts[at + 1] if at + 1 < len(parts) else ""
            last = at + 3 >= len(parts)
            follows = "" if not name or last else parts[at + 2]
            holes.append((parts[at], name, follows))
        return tuple(holes)

    def _pattern(self, template: str) -> re.Pattern[str]:
        pieces = []
        for literal, name, follows in self._split(template):
            pieces.append(re.escape(literal).replace(re.escape(_ANYTHING), ".*?"))
            if name:
                lazy = "?" if self.fields[name].free and follows else ""
                pieces.append(f"(?P<{name}>{self.fields[name].pattern}{lazy})")
        return re.compile("".join(pieces), re.DOTALL)


def _prefix(template: str) -> str:
    return re.split(r"[{…]", template, maxsplit=1)[0]


def _fields_of(define: Callable[..., None]) -> dict[str, Field]:
    hints = get_type_hints(define, include_extras=True)
    fields: dict[str, Field] = {}
    for name, parameter in inspect.signature(define).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise TypeError(f"marker {define.__name__}: {name} must be keyword only")
        fields[name] = hints[name].__metadata__[0]
    return fields


def _not_forging(text: str, follows: str) -> str:
    """`text` without the literal that ends it, so that a caller's words cannot pose as the next field."""
    if (text + follows).find(follows) == len(text):
        return text
    stand_in = "’" if follows[0] == "'" else "_"
    return text.replace(follows[0], stand_in)


_registry: Final[dict[str, Marker[...]]] = {}


def marker(
    item: str, template: str, *, level: int = INFO, older: tuple[str, ...] = (), flag: bool = False
) -> Callable[[Callable[P, None]], Marker[P]]:
    """Define a marker from a function that only names and types its fields.

    `older` forms are read, never written; `flag` marks a line that fails its item (level WARNING).
    """

    def register(define: Callable[P, None]) -> Marker[P]:
        made = Marker(define, item=item, template=template, level=WARNING if flag else level, older=older, flag=flag)
        if made.name in _registry:
            raise TypeError(f"marker {made.name} is defined twice")
        _registry[made.name] = made
        return made

    return register


def every() -> tuple[Marker[...], ...]:
    """All definitions, in the order in which they were made."""
    return tuple(_registry.values())


_by_prefix: list[tuple[str, Marker[...]]] = []


def parse(text: str) -> Parsed | None:
    """Read one marker; None when `text` is none. The most literal definition that fits wins."""
    global _by_prefix
    if len(_by_prefix) != sum(len(each.prefixes) for each in _registry.values()):
        pairs = [(prefix, each) for each in _registry.values() for prefix in each.prefixes]
        _by_prefix = sorted(pairs, key=lambda pair: -len(pair[0]))
    for prefix, each in _by_prefix:
        if text.startswith(prefix):
            fields = each.read(text)
            if fields is not None:
                return Parsed(each.name, each.item, fields)
    return None
