from pluginhost import Alert, Event, SlidingCount, analyzer


@analyzer(where="event.action:refund", key="user.name")
def many_refunds(event: Event, refunds: SlidingCount = SlidingCount("1h"), limit: int = 5) -> Alert | None:
    """Many refunds by one cashier within an hour."""
    if not refunds.reaches(event, limit):
        return None
    return Alert("medium", f"{event['user.name']}: {limit} refunds within an hour, the last at {event['host.name']}")


many_refunds.fires_on(["till-3 refund 129.90 ann"] * 5, tag="till.shop", limit=5, alerts=1)
many_refunds.quiet_on(["till-3 refund 129.90 ann", "till-4 refund 5.00 ben", "till-3 sale 9.99 ann"] * 4, tag="till.shop", limit=5)
many_refunds.survives(["till-3 refund", "till- refund x y z"], tag="till.shop")
