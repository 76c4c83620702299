"""Directions as text, as values and as files from anywhere; every refusal in one line."""

import dataclasses
import pickle

import numpy as np
import pytest
from numpy.lib import format as npy

from tf_inverse import unit_names
from tf_inverse.band import neuron, neurons, parse, whole
from tf_inverse.directions import MOST_ROWS, Direction, read
from tf_inverse.errors import InverseSetError, RefusedInput, UsageError
from tf_inverse.method.normalization import measure
from tf_inverse.neuron import Neuron, placed

LABELS = ("cat", "t-shirt", "ship", "ship-cat", "toilet tissue, toilet paper", "a+b", "a", "b+c")


def weights(text, labels=LABELS):
    return unit_names.weights("fc8", text, 8, labels)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ship-t-shirt", {2: 1, 1: -1}),
        ("t-shirt-ship", {1: 1, 2: -1}),
        ("SHIP + toilet paper", {2: 1, 4: 1}),
        ("toilet tissue, toilet paper-cat", {4: 1, 0: -1}),
        ("-ship+2*cat", {2: -1, 0: 2}),
        ("ship-.5*cat-1e-1*7", {2: 1, 0: -0.5, 7: -0.1}),
        ("2*t-shirt", {1: 2}),
        ("3-0", {3: 1, 0: -1}),
        ("ship+ship", {2: 2}),
        ("1e+1*ship", {2: 10}),
        # A label as a whole wins.
        ("ship-cat", {3: 1}),
        ("a+b", {5: 1}),
        ("ship", {2: 1}),
        ("7", {7: 1}),
        # a+b may begin it, but then comes c, which is no label.
        ("a+b+c+a+b+cat", {6: 1, 7: 1, 5: 1, 0: 1}),
    ],
)
def test_sums_of_units(text, expected):
    assert weights(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ship-dog", "expected a label of fc8, got 'dog'"),
        ("ship-cot", "got 'cot'; did you mean cat"),
        ("t-shir", "expected a label of fc8, got 't-shir'; did you mean t-shirt"),
        ("ship-9", "expected a unit of fc8 from 0 to 7, got 9"),
        ("-1", "expected a unit of fc8 from 0 to 7, got -1"),
        ("9" * 5000, "expected a unit of fc8 from 0 to 7, got 9999"),
        ("ship-", "expected a label of fc8, got '-'"),
        ("+".join(["ship"] * 80), "expected a label of fc8"),
    ],
)
def test_sums_that_cannot_be_read(text, words):
    with pytest.raises(UsageError) as refused:
        weights(text)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_signs_that_can_be_read_in_two_ways_are_refused():
    labels = ("a", "b", "c", "a-b", "b-c")
    with pytest.raises(UsageError, match="read in one way, got 'a-b-c'.*write the units' numbers"):
        unit_names.weights("fc8", "a-b-c", 5, labels)
    assert unit_names.weights("fc8", "0-1-2", 5, labels) == {0: 1, 1: -1, 2: -1}


def test_a_label_that_is_a_sign_ends_no_sum():
    with pytest.raises(UsageError, match="with signs between them, as .*, got 'ship-'"):
        weights("ship-", (*LABELS, "-"))


@pytest.mark.parametrize(("shape", "at"), [((4, 6, 3), (1, 5)), ((5, 3), (0, 4))])
def test_a_direction_of_one_number_of_all_is_a_unit_at_its_place(shape, at):
    """Also of maps that are no squares, and of tokens, which stand in one row."""
    values = np.zeros(shape, np.float32)
    values[(*at, 2)[-len(shape) :]] = 1.0
    assert placed(Neuron("any", Direction("one", values)), shape) == Neuron("any", 2, at)


def test_a_direction_is_its_numbers():
    values = np.array([1, 0, -2.5], np.float64)
    one, other = Direction("one", values), Direction("two", values.astype("f4"))
    assert one == other and hash(one) == hash(other) and str(other) == "two"
    assert one != Direction("one", -values) and pickle.loads(pickle.dumps(one)) == one
    values[0] = 7
    assert one.values.tolist() == [1, 0, -2.5] and not one.values.flags.writeable
    assert (one.unit, Direction("e1", [0, 1, 0]).unit, Direction("2", [0, 2, 0]).unit) == (
        None,
        1,
        None,
    )
    assert Direction("a\nb\x1b[2J", [1]).name == "a b?[2J"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0, -0.0], "a number other than zero in the direction d"),
        ([1e-60], "a number other than zero"),
        ([1, np.nan, np.inf, 2], "expected finite float32 numbers for the direction d, 2 of 4"),
        ([1e39], "expected finite float32 numbers for the direction d, 1 of 1"),
        ([], "got 0 of type float64"),
        ([1j], "of type complex128"),
        (["1"], "numbers for the direction d, got 1 of type <U1"),
    ],
)
def test_what_is_no_direction(values, words):
    with pytest.raises(UsageError, match=words):
        Direction("d", np.array(values))


def saved(path, array, **options):
    np.save(path, array, **options)
    return f"@{path}"


def test_files_of_directions(tmp_path):
    rng = np.random.default_rng(0)
    one, maps = rng.standard_normal(4), rng.standard_normal((3, 2, 5, 4))
    text = saved(tmp_path / "one.npy", one)
    (found,) = read(text, "fc", (4,))
    assert found == Direction("", one) and found.name == "@one.npy"
    # Rows; a row; as Fortran has them; as integers.
    rows = np.asfortranarray(rng.integers(-5, 6, (3, 4)) + 0.5)
    text = saved(tmp_path / "rows.npy", rows)
    assert read(text, "fc", (4,)) == [Direction("", row) for row in rows]
    assert [d.name for d in read(text, "fc", (4,))] == [f"@rows.npy[{i}]" for i in range(3)]
    assert read(f"{text}[2]", "fc", (4,)) == [Direction("", rows[2])]
    # Of a map: over its channels, or all of it, in its shape or flat.
    shape = (2, 5, 4)
    assert read(text, "conv", shape) == [Direction("", row) for row in rows]
    text = saved(tmp_path / "maps.npy", maps)
    assert read(text, "conv", shape) == [Direction("", one.reshape(-1)) for one in maps]
    assert read(f"{text}[1]", "conv", shape) == [Direction("", maps[1].reshape(-1))]
    text = saved(tmp_path / "map.npy", maps[0])
    assert read(text, "conv", shape) == [Direction("", maps[0].reshape(-1))]
    text = saved(tmp_path / "flat.npy", maps[2].reshape(-1))
    assert read(text, "conv", shape) == [Direction("", maps[2].reshape(-1))]
    # Of tokens two axes are rows of units.
    text = saved(tmp_path / "tokens.npy", maps[0, 0])
    assert len(read(text, "block", (5, 4))) == 5
    assert len(read(saved(tmp_path / "whole.npy", maps[0, :1]), "block", (5, 4))) == 1


def hostile(path):
    """Files that are no plain array of numbers, and what they are refused with."""
    header = npy.header_data_from_array_1_0(np.zeros(4))

    def forged(name, **changes):
        with open(path / name, "wb") as file:
            npy.write_array_header_1_0(file, header | changes)
            file.write(bytes(32))
        return f"@{path / name}"

    saved(path / "pickled.npy", np.array([{"a": 1}], object), allow_pickle=True)
    np.savez(path / "several.npy.npz", a=np.zeros(4))
    (path / "text.npy").write_bytes(b"1 0 0 0\n")
    (path / "empty.npy").write_bytes(b"")
    (path / "cut.npy").write_bytes((path / "pickled.npy").read_bytes()[:40])
    (path / "folder.npy").mkdir()
    # A header of code: NumPy reads it as a literal, or not at all.
    (path / "code.npy").write_bytes(
        b"\x93NUMPY\x01\x00\x20\x00" + b"__import__('os').abort()".ljust(32)
    )
    for name in (
        "pickled.npy",
        "several.npy.npz",
        "text.npy",
        "empty.npy",
        "cut.npy",
        "folder.npy",
    ):
        yield f"@{path / name}"
    yield f"@{path / 'code.npy'}"
    # A petabyte in a file of 160 bytes: refused by its header, before anything is allocated.
    yield forged("huge.npy", shape=(1 << 45, 4))
    yield forged("negative.npy", shape=(-4,))
    yield forged("odd.npy", descr="<f16x")


def test_files_are_hostile_until_checked(tmp_path):
    for text in hostile(tmp_path):
        with pytest.raises(RefusedInput) as refused:
            read(text, "fc", (4,))
        assert "NumPy's .npy format" in str(refused.value) and "\n" not in str(refused.value), text


@pytest.mark.parametrize(
    ("array", "row", "words"),
    [
        (
            np.ones(3),
            "",
            r"an array \[4\] for a direction of fc, or several in rows, d.npy has \[3\]",
        ),
        (np.ones((2, 4)), "[2]", "expected a row of d.npy from 0 to 1, got 2"),
        (
            np.ones((MOST_ROWS + 1, 4)),
            "",
            f"at most {MOST_ROWS} directions.*has {MOST_ROWS + 1} of 4: choose one",
        ),
        (np.ones((0, 4)), "", None),
        (np.float64(3), "", r"d.npy has \[\]"),
        (np.ones((1, 1, 1, 4)), "", r"d.npy has \[1, 1, 1, 4\]"),
        (np.array([True] * 4), "", "of type bool"),
        (np.zeros(4), "", "other than zero in the direction @d.npy"),
        (
            np.array([1, 2, 3, np.nan]),
            "",
            "finite float32 numbers for the direction @d.npy, 1 of 4",
        ),
    ],
)
def test_arrays_that_are_no_directions(tmp_path, array, row, words):
    with pytest.raises(InverseSetError, match=words):
        read(saved(tmp_path / "d.npy", array) + row, "fc", (4,))


def test_a_file_that_is_not_there(tmp_path):
    for text in (f"@{tmp_path}/none.npy", "@\0.npy"):
        with pytest.raises(
            UsageError, match=r"expected a file of NumPy's .npy format at .*, there"
        ):
            read(text, "fc", (4,))


def test_directions_in_targets(tiny, tmp_path):
    file = saved(tmp_path / "my d.npy", np.array([[0, 0, 1, 0], [1, 2, 3, 4.0]]))
    unit, other = parse(f"fc3:{file}@0:1", tiny)
    # One-hot: the unit itself.
    assert unit.neuron == Neuron("fc3", 2) and str(unit) == "fc3:2@0:1"
    assert other.neuron == Neuron("fc3", Direction("", [1, 2, 3, 4]))
    assert str(other) == "fc3:@my d.npy[1]@0:1"
    (one,) = neurons("fc3:ship-cat", tiny)
    assert one.direction == Direction("", [-1, 0, 1, 0]) and str(one) == "fc3:ship-cat"
    two = parse("fc3:ship-cat@-1:2, fc3:toilet paper@0:1", tiny).neurons
    assert two == (one, Neuron("fc3", 3))
    # Over the channels of a map: the centre, a place, the mean; over all of it.
    channels = saved(tmp_path / "c.npy", np.arange(1, 6))
    found = neurons(f"conv1:{channels} conv1:{channels},0,7 conv1:{channels},mean", tiny)
    assert [n.at for n in found] == [(4, 4), (0, 7), "mean"] and str(found[1]).endswith(",0,7")
    assert neuron("conv1:3-1,0,7@p1:p2", tiny).at == (0, 7)
    full = np.zeros((8, 8, 5))
    full[3, 6, 2] = 1
    assert neuron(f"conv1:{saved(tmp_path / 'f.npy', full)}", tiny) == Neuron("conv1", 2, (3, 6))
    full[0, 0, 0] = 5
    assert neuron(f"conv1:{saved(tmp_path / 'f.npy', full)}", tiny).at is None
    with pytest.raises(UsageError, match="no position for a direction of all of conv1"):
        neuron(f"conv1:@{tmp_path}/f.npy,1,1", tiny)
    with pytest.raises(UsageError, match="expected one direction, .* has 2: choose one"):
        neuron(f"fc3:{file}", tiny)
    with pytest.raises(UsageError, match="of 4 numbers, the units of fc3; d has 3"):
        placed(Neuron("fc3", Direction("d", [1, 1, 1])), (4,))
    odd = tmp_path / "a@b" / "c:d"
    odd.mkdir(parents=True)
    file = saved(odd / "e.npy", np.arange(5))
    assert neuron(f"conv1:{file},1,2@0:1", tiny).at == (1, 2)
    assert neuron(f"conv1:{file}", tiny).at == (4, 4)
    assert whole("fc3:@d.npy@0:1") and not whole("fc3:@d.npy") and not whole("fc3:ship-cat")


def test_directions_of_probabilities_are_refused(tiny):
    import keras

    softmax = keras.layers.Softmax(name="prob")(tiny.classifier.output)
    f = keras.Model(tiny.classifier.input, softmax, name="tiny")
    labels = ("prob", ("a", "b", "c", "d"))
    networks = dataclasses.replace(tiny, classifier=f, labels=labels)
    words = "prob gives probabilities: take its logits, fc3:a-b, where .* the log-odds of one"
    with pytest.raises(UsageError, match=words):
        parse("prob:a-b@0:1", networks)
    by_hand = Neuron("prob", Direction("d", [1, -1, 0, 0]))
    with pytest.raises(UsageError, match="expected no direction of prob, which gives probab"):
        measure(networks, (by_hand,))
    assert parse("fc3:a-b@0:1", networks)[0].neuron.direction is not None
