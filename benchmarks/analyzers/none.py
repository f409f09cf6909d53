"""Ten rules that no record of the benchmarks matches: equality, one of several, and prefix, on five fields."""

from pluginhost import Alert, Event, analyzer

FIELDS = ("method", "user", "code", "ip", "path")
SHAPES = ("{0}:bad{1:05}", "{0}:(bad{1:05}a OR bad{1:05}b OR bad{1:05}c)", "{0}:evil{1:05}*")


def rule(number):
    @analyzer(where=SHAPES[number % 3].format(FIELDS[number % 5], number), name=f"rule_{number}")
    def body(event: Event) -> Alert:
        return Alert("low", "found")

    return body


globals().update({f"rule_{number}": rule(number) for number in range(10)})
