from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class FollowRequest(_message.Message):
    __slots__ = ("where", "after")
    WHERE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    where: str
    after: str
    def __init__(self, where: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("token", "document")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    token: str
    document: bytes
    def __init__(self, token: _Optional[str] = ..., document: _Optional[bytes] = ...) -> None: ...
