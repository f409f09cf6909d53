from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Encoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENCODING_UNSPECIFIED: _ClassVar[Encoding]
    ENCODING_MSGPACK: _ClassVar[Encoding]
    ENCODING_JSON: _ClassVar[Encoding]

class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_UNSPECIFIED: _ClassVar[Action]
    ACTION_ALLOW: _ClassVar[Action]
    ACTION_STEP_UP: _ClassVar[Action]
    ACTION_DENY: _ClassVar[Action]
ENCODING_UNSPECIFIED: Encoding
ENCODING_MSGPACK: Encoding
ENCODING_JSON: Encoding
ACTION_UNSPECIFIED: Action
ACTION_ALLOW: Action
ACTION_STEP_UP: Action
ACTION_DENY: Action

class Batch(_message.Message):
    __slots__ = ("sequence", "tag", "encoding", "payload", "compression", "records")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    tag: str
    encoding: Encoding
    payload: bytes
    compression: str
    records: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    def __init__(self, sequence: _Optional[int] = ..., tag: _Optional[str] = ..., encoding: _Optional[_Union[Encoding, str]] = ..., payload: _Optional[bytes] = ..., compression: _Optional[str] = ..., records: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("sequence", "accepted", "rejected", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    accepted: int
    rejected: int
    error: str
    def __init__(self, sequence: _Optional[int] = ..., accepted: _Optional[int] = ..., rejected: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class Judgement(_message.Message):
    __slots__ = ("ack", "pending", "action", "risk_score", "verdicts")
    ACK_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RISK_SCORE_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    ack: Ack
    pending: bool
    action: Action
    risk_score: float
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    def __init__(self, ack: _Optional[_Union[Ack, _Mapping]] = ..., pending: bool = ..., action: _Optional[_Union[Action, str]] = ..., risk_score: _Optional[float] = ..., verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("index", "action", "severity", "risk_score", "rule", "rule_name", "message", "reason", "id")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    RISK_SCORE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    RULE_NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    index: int
    action: Action
    severity: str
    risk_score: float
    rule: str
    rule_name: str
    message: str
    reason: str
    id: str
    def __init__(self, index: _Optional[int] = ..., action: _Optional[_Union[Action, str]] = ..., severity: _Optional[str] = ..., risk_score: _Optional[float] = ..., rule: _Optional[str] = ..., rule_name: _Optional[str] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...
