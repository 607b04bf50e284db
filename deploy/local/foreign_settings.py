"""Settings that other systems have in their .env files, and their equivalents here."""

import re
from collections.abc import Collection, Iterable

_DATABASE = "(DB|DATABASE|POSTGRES(QL)?|MYSQL|MONGO(DB)?)"
_EQUIVALENTS = (
    (
        rf"{_DATABASE}_(HOST|PORT|USER(NAME)?|PASS(WORD)?|NAME|DB|DATABASE|URI|SSL)|DB_URL",
        "BOXOFFICE_DATABASE_URL names a PostgreSQL of your own",
    ),
    (
        r"(JWT|ACCESS_TOKEN|REFRESH_TOKEN)(_\w+)?_(SECRET|KEY)|JWT_SECRET|SECRET_KEY",
        "keys that sign tokens are in the database, and `boxoffice rotate-keys` makes a new one",
    ),
    (
        r"JWT_(\w+_)?(EXPIR\w+|EXP|TTL|LIFETIME)|(ACCESS|REFRESH)_TOKEN_(EXPIR\w+|TTL)",
        "access tokens live for 15 minutes and log-ins for 30 days, which no setting changes",
    ),
    (r"(MAIL|SMTP|EMAIL)_(FROM|SENDER|FROM_ADDRESS)", "ACCOUNTS_MAIL_FROM is the sender"),
    (
        r"(MAIL|SMTP|EMAIL|NODEMAILER)_(HOST|PORT|USER|USERNAME|PASS|PASSWORD|SECURE|SERVICE|URL)",
        "ACCOUNTS_SMTP_URL names the mail server",
    ),
    (
        r"(REDIS|VALKEY|CACHE)_(URI|URL|HOST|PORT|PASSWORD|DB)",
        "GATEWAY_RATE_LIMITS_URL names a Redis, which only several gateways need",
    ),
    (r"(NODE|APP|FLASK|DJANGO|RAILS|GO|SPRING)_ENV", "BOXOFFICE_ENV says where this runs"),
    (r"LOG_LEVEL|LOGLEVEL", "BOXOFFICE_LOG_LEVEL is the lowest level that is logged"),
    (r"(APP|SERVER|HTTP|API|GATEWAY_HTTP)_PORT", "PORT is the port of the gateway"),
    (r"(APP|SERVER|HTTP|API)_HOST", "GATEWAY_HOST is the address that the gateway listens on"),
    (
        r"CORS_(ALLOWED_)?ORIGINS?|ALLOWED_ORIGINS|CLIENT_URL|FRONTEND_URL",
        "GATEWAY_CORS_ORIGINS names the origins whose pages may call",
    ),
    (
        r"(RATE_LIMIT|THROTTLE)_\w+",
        "GATEWAY_CALLER_REQUESTS_PER_MINUTE and GATEWAY_ADDRESS_REQUESTS_PER_MINUTE limit requests",
    ),
)


def equivalent_of(name: str) -> str | None:
    """Returns the equivalent here of a setting of another system; None if there is none."""
    found = (meaning for pattern, meaning in _EQUIVALENTS if re.fullmatch(pattern, name.upper()))
    return next(found, None)


def hints(environment: Iterable[str], unread: Collection[str]) -> list[str]:
    """Returns a hint for each setting of another system that is set and has an equivalent here.

    `unread` are names in .env that are no setting here; those without an equivalent share a line.
    """
    found: dict[str, list[str]] = {}
    for name in sorted({*environment, *unread}):
        meaning = equivalent_of(name)
        if meaning or name in unread:
            found.setdefault(meaning or "it is no setting of Boxoffice", []).append(name)
    return [f"nothing here reads {', '.join(names)}: {does}" for does, names in found.items()]
