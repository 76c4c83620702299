"""Messages of caffe.proto built with the protobuf package, from descriptors declared here."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

F = descriptor_pb2.FieldDescriptorProto
TYPES = {
    "string": F.TYPE_STRING,
    "int64": F.TYPE_INT64,
    "float": F.TYPE_FLOAT,
    "double": F.TYPE_DOUBLE,
    "enum": F.TYPE_INT32,
    "bytes": F.TYPE_BYTES,
}
# name: (number, type, repeated); a type of ours is a message.
MESSAGES = {
    "BlobShape": {"dim": (1, "int64", True)},
    "BlobProto": {
        "num": (1, "int64", False),
        "channels": (2, "int64", False),
        "height": (3, "int64", False),
        "width": (4, "int64", False),
        "data": (5, "float", True),
        "diff": (6, "float", True),
        "shape": (7, "BlobShape", False),
        "double_data": (8, "double", True),
        "raw_data_type": (10, "enum", False),
        "raw_data": (12, "bytes", False),
    },
    "V0LayerParameter": {
        "name": (1, "string", False),
        "type": (2, "string", False),
        "num_output": (3, "int64", False),
        "blobs": (50, "BlobProto", True),
    },
    "V1LayerParameter": {
        "layer": (1, "V0LayerParameter", False),
        "bottom": (2, "string", True),
        "top": (3, "string", True),
        "name": (4, "string", False),
        "type": (5, "enum", False),
        "blobs": (6, "BlobProto", True),
        "blobs_lr": (7, "float", True),
    },
    "LayerParameter": {
        "name": (1, "string", False),
        "type": (2, "string", False),
        "bottom": (3, "string", True),
        "top": (4, "string", True),
        "blobs": (7, "BlobProto", True),
        "phase": (10, "enum", False),
    },
    "NetParameter": {
        "name": (1, "string", False),
        "layers": (2, "V1LayerParameter", True),
        "input": (3, "string", True),
        "layer": (100, "LayerParameter", True),
    },
}


def _classes():
    file = descriptor_pb2.FileDescriptorProto(name="c.proto", package="c", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            label = F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if kind in TYPES:
                added.type = TYPES[kind]
                added.options.packed = repeated and kind != "string"
            else:
                added.type, added.type_name = F.TYPE_MESSAGE, f".c.{kind}"
            if field == "blobs_lr":
                added.options.packed = False
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"c.{name}"))
        for name in MESSAGES
    }


CLASSES = _classes()
NetParameter, BlobProto = CLASSES["NetParameter"], CLASSES["BlobProto"]
