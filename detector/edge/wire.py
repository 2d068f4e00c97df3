"""What gateways ask and are told, as bytes: Envoy's ext_authz v3 and agentgateway's ExtMcp, the part we read and write.

A field's number and kind are the protocols'; the rest of a message is passed over. The classes are made here and not
taken from a package: `xds-protos` writes over files of `opentelemetry-proto`, `envoy-data-plane` brings another
runtime of protobuf, and each is a tree of a thousand modules for twenty fields. Every text is read as bytes, so that
one wrong byte in a header makes no message unreadable. Needs protobuf, and no gRPC.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

PACKAGE: Final = "detector.edge.wire"
STRUCT: Final = ".google.protobuf.Struct"
PLAIN: Final = {"bytes": Field.TYPE_BYTES, "int": Field.TYPE_INT32, "text": Field.TYPE_STRING}

MESSAGES: Final = {
    # envoy.service.auth.v3: external_auth.proto, attribute_context.proto; envoy.config.core.v3: base.proto
    "CheckRequest": "attributes:1:Attributes",
    "Attributes": "source:1:Peer request:4:Request extensions:10:*Pair metadata:11:Metadata",
    "Peer": "principal:4:bytes",
    "Request": "http:2:Http",
    "Http": "id:1:bytes method:2:bytes headers:3:*Pair body:11:bytes raw_body:12:bytes header_map:13:HeaderMap",
    "Pair": "key:1:bytes value:2:bytes",
    "HeaderMap": "headers:1:*Header",
    "Header": "key:1:bytes value:2:bytes raw_value:3:bytes",
    "Metadata": "filters:1:*Filter",
    "Filter": "key:1:bytes value:2:Struct",
    "CheckResponse": "status:1:Status denied:2:Denied ok:3:Pass metadata:4:Struct",
    "Status": "code:1:int message:2:text",
    "Denied": "status:1:HttpStatus headers:2:*HeaderOption body:3:text",
    "HttpStatus": "code:1:int",
    "HeaderOption": "header:1:Header",
    "Pass": "",
    # agentgateway.dev.ext_mcp: ext_mcp.proto, as of its client in src/mcp/guardrails
    "McpRequest": "services:1:*bytes method:2:bytes metadata:3:Struct params:4:bytes headers:5:*Pair",
    "McpResult": "pass:1:Pass error:3:McpError",
    "McpError": "code:1:int reason:2:text",
}
"""Fields as ``name:number:kind``, a star before what repeats. A map is a list of pairs on the wire."""


def _made() -> dict[str, Any]:
    """Return a class for each message, from a pool of their own: another package may know the real names."""
    file = descriptor_pb2.FileDescriptorProto(name="detector/edge/wire.proto", package=PACKAGE, syntax="proto3")
    file.dependency.append(struct_pb2.DESCRIPTOR.name)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split():
            label, number, kind = field.split(":")
            made = message.field.add(name=label, number=int(number), label=Field.LABEL_OPTIONAL)
            if kind.startswith("*"):
                made.label = Field.LABEL_REPEATED
            kind = kind.removeprefix("*")
            if kind in PLAIN:
                made.type = PLAIN[kind]
            else:
                made.type = Field.TYPE_MESSAGE
                made.type_name = STRUCT if kind == "Struct" else f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    names = [*(f"{PACKAGE}.{name}" for name in MESSAGES), STRUCT.removeprefix(".")]
    return {
        name.rpartition(".")[2]: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names
    }


_CLASSES: Final = _made()
CheckRequest: Final = _CLASSES["CheckRequest"]
CheckResponse: Final = _CLASSES["CheckResponse"]
McpRequest: Final = _CLASSES["McpRequest"]
McpResult: Final = _CLASSES["McpResult"]
Struct: Final = _CLASSES["Struct"]
