"""An analyzer that tells of silence, for a sidecar's folder."""

__all__ = ["SILENT"]

SILENT = '''
from pluginhost import Alert, Timers, analyzer

@analyzer(key="user")
class silent:
    """A user who has said nothing for ten seconds."""

    timers: Timers = Timers()

    def on_event(self, event):
        self.timers.set("quiet", event.time + 10_000_000_000)

    def on_timer(self, timer):
        return Alert("low", "silent")
'''
