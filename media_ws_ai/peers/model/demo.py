"""The built-in scenarios. `demo` is the clinic of the demo business: a natural Hebrew conversation, or an English
one when the session's language is English, spoken with the agent clips of `media_ws_ai.peers.speech`."""

from typing import Final

from media_ws_ai.peers.model.scenario import Reply, Scenario, Script, Turn

_HEBREW: Final = Script(
    greeting=(Reply(clip="he_agent_greeting"),),
    turns=(
        Turn(reply=(Reply(clip="he_agent_bye"),), clip=("he_thanks_bye",), regex="להתראות|ביי|יום טוב"),
        Turn(reply=(Reply(clip="he_agent_hours"),), clip=("he_hours",), regex="פתוחים|שעות"),
        Turn(reply=(Reply(clip="he_agent_when"),), clip=("he_book",), regex="תור|פגישה"),
        Turn(
            reply=(Reply(clip="he_agent_noted"),),
            clip=("he_sunday", "he_yes", "he_mhm", "he_name"),
            regex="ביום|בבוקר|^כן|קוראים לי",
        ),
        Turn(reply=(Reply(clip="he_agent_long"),), clip=("he_price",), regex="עולה|מחיר"),
        Turn(reply=(Reply(clip="he_agent_when"),), clip=("he_city", "he_long")),
        Turn(reply=(Reply(text="בסדר, אני ממתינה."),), clip=("he_wait",)),
        Turn(reply=(Reply(clip="he_agent_bye"),), clip=("he_no",), regex="^לא"),
    ),
    default=(Reply(text="סליחה, לא הבנתי. אפשר לחזור על זה?"),),
    resumed=(Reply(text="סליחה, השיחה נקטעה לרגע. במה אפשר לעזור?"),),
)

_ENGLISH: Final = Script(
    greeting=(Reply(clip="en_agent_greeting"),),
    turns=(
        Turn(reply=(Reply(clip="en_agent_bye"),), clip=("en_thanks_bye",), regex="(?i)bye"),
        Turn(reply=(Reply(clip="en_agent_hours"),), clip=("en_hours",), regex="(?i)open|hours"),
        Turn(reply=(Reply(clip="en_agent_when"),), clip=("en_book",), regex="(?i)appointment|book"),
        Turn(
            reply=(Reply(clip="en_agent_noted"),),
            clip=("en_sunday", "en_yes", "en_mhm", "en_name"),
            regex="(?i)sunday|morning|^yes|my name",
        ),
        Turn(reply=(Reply(clip="en_agent_long"),), clip=("en_price",), regex="(?i)cost|price|how much"),
        Turn(reply=(Reply(clip="en_agent_when"),), clip=("en_city", "en_long")),
        Turn(reply=(Reply(text="Of course, take your time."),), clip=("en_wait",)),
        Turn(reply=(Reply(clip="en_agent_bye"),), clip=("en_no",), regex="(?i)^no"),
    ),
    default=(Reply(text="Sorry, I did not understand. Could you say that again?"),),
    resumed=(Reply(text="Sorry, we were cut off for a moment. How can I help?"),),
    out_of_band=(Reply(text="A summary of the call.", ttfb_ms=100),),
)


def demo() -> Scenario:
    """The clinic, in Hebrew unless the session says English."""
    return Scenario(
        greeting=_HEBREW.greeting,
        turns=_HEBREW.turns,
        default=_HEBREW.default,
        resumed=_HEBREW.resumed,
        out_of_band=_HEBREW.out_of_band,
        languages={"en": _ENGLISH},
    )


def load_pattern() -> Scenario:
    """Numbered audio for load runs: a 6 s greeting, then 6 s, 8 s and 3 s of speech in turn."""
    return Scenario(
        greeting=(Reply(text="Hello, you have reached the office. How can I help you?", numbered=6.0),),
        turns=tuple(Turn(reply=(Reply(text="Of course, one moment please.", numbered=s),)) for s in (6.0, 8.0, 3.0)),
        default=(Reply(text="Anything else?", numbered=3.0),),
    )
