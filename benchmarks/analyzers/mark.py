from pluginhost import Alert, Event, analyzer


@analyzer(where="path:mark-*")
def mark(event: Event) -> Alert:
    """An alert for a record whose way is timed."""
    return Alert("low", event["path"])
