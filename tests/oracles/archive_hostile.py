"""Hostile archives, one a function: each turns a valid one into what its name says.

Each function takes the path of a valid archive of 12 samples and of a bait file that must not be
opened, and changes the first. CASES: name -> (function, words of the refusal).
"""

import json
import os
import zlib

import h5py
import numpy as np

from tf_inverse.archive.chunk_reader import fletcher32

CASES = {}


def case(words):
    def add(function):
        CASES[function.__name__] = function, words
        return function

    return add


def replaced(file, name, **options):
    """Deletes a dataset and makes another of its name, chunked by rows with the usual filters."""
    old = file[name]
    shape, dtype = options.pop("shape", old.shape), options.pop("dtype", old.dtype)
    del file[name]
    usual = {"chunks": (1, *shape[1:]), "compression": "gzip", "fletcher32": True} | options
    return file.create_dataset(name, shape, dtype, **usual)


@case("codes is stored in other files")
def external_storage(path, bait):
    with h5py.File(path, "a") as file:
        del file["codes"]
        file.create_dataset("codes", (12, 24), "f4", external=[(str(bait), 0, 12 * 24 * 4)])


@case("images is an external link")
def external_link(path, bait):
    with h5py.File(path, "a") as file:
        del file["images"]
        file["images"] = h5py.ExternalLink(str(bait), "/images")


@case("state/next is an external link")
def external_link_in_the_state(path, bait):
    with h5py.File(path, "a") as file:
        del file["state/next"]
        file["state/next"] = h5py.ExternalLink(str(bait), "/images")


@case("codes is a soft link")
def soft_link(path, bait):
    with h5py.File(path, "a") as file:
        del file["codes"]
        file["codes"] = h5py.SoftLink("/encodings")


@case("images is a virtual dataset")
def virtual_dataset(path, bait):
    with h5py.File(path, "a") as file:
        shape = file["images"].shape
        del file["images"]
        layout = h5py.VirtualLayout(shape, "u1")
        layout[:] = h5py.VirtualSource(str(bait), "images", shape)
        file.create_virtual_dataset("images", layout)


@case("steps is of an object type")
def references(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "steps", dtype=h5py.ref_dtype, compression=None, fletcher32=False)


@case("codes is of a variable-length type")
def variable_length(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "codes", dtype=h5py.vlen_dtype("f4"), fletcher32=False)


@case("attribute name is of a variable-length type")
def variable_length_attribute(path, bait):
    with h5py.File(path, "a") as file:
        file.attrs["name"] = "a text"


@case("chain is of a compound")
def compound(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "chain", dtype=np.dtype([("a", "i4"), ("b", "i4")]))


@case("images declares 10000000 rows")
def declared_beyond_what_is_stored(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "images", shape=(10**7, 16, 16, 3))


@case("images has shape|images has chunks|images declares")
def absurd_sides(path, bait):
    with h5py.File(path, "a") as file:
        shape = (12, 2**31, 2**31, 3)
        replaced(file, "images", shape=shape, chunks=(1, 1024, 1024, 3))


@case("bytes for a chunk of 768, too many")
def compression_bomb(path, bait):
    bomb(path, zlib.compress(bytes(1 << 30), 1))


@case("unpacks to more than the declared 768")
def small_compression_bomb(path, bait):
    bomb(path, zlib.compress(bytes(500_000), 9))


@case("unpacks to fewer than the declared 768")
def short_chunk(path, bait):
    bomb(path, zlib.compress(bytes(700)))


@case("damaged .*while decompressing")
def not_a_stream(path, bait):
    bomb(path, bytes(100))


@case("leaves out filters")
def filters_left_out(path, bait):
    bomb(path, bytes(768), mask=1)


def bomb(path, stream, mask=0):
    with h5py.File(path, "a") as file:
        chunk = stream + fletcher32(stream).to_bytes(4, "little")
        file["images"].id.write_direct_chunk((5, 0, 0, 0), chunk, mask)


@case("codes has filters")
def plugin_filter(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "codes", compression="lzf")


@case("codes has filters")
def no_checksum(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "codes", fletcher32=False)


@case("codes is neither chunked nor compact")
def contiguous(path, bait):
    with h5py.File(path, "a") as file:
        del file["codes"]
        file["codes"] = np.zeros((12, 24), np.float32)


@case("/extra is unexpected")
def unexpected_dataset(path, bait):
    with h5py.File(path, "a") as file:
        file["extra"] = np.zeros(3)


@case("10007 objects|objects, at most")
def very_many_objects(path, bait):
    with h5py.File(path, "a", libver="v110") as file:
        for i in range(10_000):
            file.create_group(f"g{i}")


@case("/state/loop is not a dataset")
def loop(path, bait):
    with h5py.File(path, "a") as file:
        file["state/loop"] = file["/"]


@case("attribute settings has more than one axis or 60000 bytes")
def huge_attribute(path, bait):
    with h5py.File(path, "a", libver="v110") as file:
        text(file, "settings", "[" * 10_000_000)


@case("attributes, at most 32")
def very_many_attributes(path, bait):
    with h5py.File(path, "a", libver="v110") as file:
        for i in range(5000):
            file.attrs[f"a{i}"] = i


@case("attribute settings is not valid JSON")
def deep_json(path, bait):
    with h5py.File(path, "a") as file:
        text(file, "settings", "[" * 50_000)


@case("attribute settings is not valid JSON")
def json_with_nan(path, bait):
    with h5py.File(path, "a") as file:
        text(file, "settings", '{"K":NaN}')


@case("attribute targets is not valid JSON")
def json_with_a_number_beyond_floats(path, bait):
    with h5py.File(path, "a") as file:
        targets = json.loads(file.attrs["targets"])
        text(file, "targets", json.dumps([targets[0] | {"z1": -(10**400)}]))


def text(file, name, value):
    kind = h5py.string_dtype("utf-8", len(value))
    file.attrs.create(name, np.array(value.encode(), kind), dtype=kind)


@case("/activations: NaN or infinity")
def nan_activation(path, bait):
    with h5py.File(path, "a") as file:
        file["activations"][7] = np.nan


@case("/activations: NaN or infinity")
def infinite_activation(path, bait):
    with h5py.File(path, "a") as file:
        file["activations"][7] = np.inf


@case("/codes: NaN or infinity")
def nan_code(path, bait):
    with h5py.File(path, "a") as file:
        file["codes"][7, 3] = np.nan


@case("columns of different or no length")
def wrong_length(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "steps", shape=(11,))[:] = 1


@case("images is uint8 .*, expected uint8 with 4 axes")
def wrong_axes(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "images", shape=(12, 768))[:] = 1


@case("images is float64 .*, expected uint8")
def wrong_dtype(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "images", dtype="f8")[:] = 1


@case("activations of 2 targets, expected 1")
def wrong_number_of_targets(path, bait):
    with h5py.File(path, "a") as file:
        replaced(file, "activations", shape=(12, 2))[:] = 55


@case("columns missing: .'codes'")
def missing_column(path, bait):
    with h5py.File(path, "a") as file:
        del file["codes"]


@case("attributes missing .'seed'")
def missing_attribute(path, bait):
    with h5py.File(path, "a") as file:
        del file.attrs["seed"]


@case("expected finite z1 <= z2")
def reversed_range(path, bait):
    with h5py.File(path, "a") as file:
        text(file, "targets", '[{"layer":"fc8","unit":1,"z1":60,"z2":50}]')


@case("expected texts in a target")
def label_of_another_type(path, bait):
    with h5py.File(path, "a") as file:
        text(file, "targets", '[{"layer":"fc8","unit":1,"z1":50,"z2":60,"label":5}]')


@case("schema version 2, expected 1")
def other_version(path, bait):
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 2


@case("attribute format is 'something'")
def other_format(path, bait):
    with h5py.File(path, "a") as file:
        text(file, "format", "something")


@case("/images: chunk 3 is damaged .fletcher32 differs")
def flipped_bit_in_an_image(path, bait):
    with h5py.File(path) as file:
        where = file["images"].id.get_chunk_info(3).byte_offset + 100
    flip(path, where)


@case("damaged HDF5 file")
def flipped_bit_in_the_metadata(path, bait):
    flip(path, 70)


def flip(path, where):
    data = bytearray(path.read_bytes())
    data[where] ^= 4
    path.write_bytes(data)


@case("truncated HDF5 file")
def truncated(path, bait):
    os.truncate(path, path.stat().st_size // 2)


@case("truncated HDF5 file")
def truncated_by_a_byte(path, bait):
    os.truncate(path, path.stat().st_size - 1)


@case("not an HDF5 file")
def empty(path, bait):
    os.truncate(path, 0)


@case("not an HDF5 file")
def user_block(path, bait):
    path.write_bytes(bytes(512) + path.read_bytes())


@case("not a regular file")
def fifo(path, bait):
    path.unlink()
    os.mkfifo(path)


@case("header.json, so not the folder of a run")
def folder(path, bait):
    path.unlink()
    path.mkdir()
