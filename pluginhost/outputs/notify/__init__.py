"""Notifiers: outputs that tell people. One small module a service, all of them over `sender`.

`templates` fills in what the configuration wants said, `texts` is what is said otherwise, `redaction` keeps secrets out of all that is
shown. Which alerts are told, when and to whom is decided by the desk.
"""
