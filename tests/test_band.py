"""Targets as text and as values, every refusal with its words, and margins at the edges."""

import dataclasses
import math
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
import worlds

from tf_inverse.band import Band, Bands, Neuron, parse, placed, split
from tf_inverse.errors import UsageError
from tf_inverse.method.lagrangian import margins
from tf_inverse.networks.codes import Codes
from tf_inverse.networks.natural import Natural
from tf_inverse.networks.networks import Networks

LABEL = "toilet tissue, toilet paper"


@pytest.fixture(scope="module")
def natural():
    """A pair whose fc3 has percentiles 10 times the level over unit 0, and mean 5, s.d. 2."""
    percentiles = np.array([[0.0, 1000.0]] * 4, np.float32)
    columns = (np.full(4, 5.0, np.float32), np.full(4, 2.0, np.float32), percentiles)
    return worlds.tiny_networks(
        natural=Natural(3, "made up", np.array([0.0, 100.0]), {"fc3": columns})
    )


@pytest.mark.parametrize(
    "text",
    [
        "fc3:2@1:3",
        "fc3:0@-1.5:-0.25",
        "fc3:1@1e-05:1e+06",
        "conv1:4,0,7@-3:2",
        "relu1:0,mean@0:1",
        "relu1:0,max@0:1",
    ],
)
def test_text_and_value_round_trip(tiny, text):
    (band,) = parse(text, tiny)
    assert str(band) == text
    assert parse(str(band), tiny) == (band,)


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("fc3:ship@8:10", Band(Neuron("fc3", 2), 8, 10)),
        ("fc3:SHIP@8:10", Band(Neuron("fc3", 2), 8, 10)),
        (f"fc3:{LABEL}@0:1", Band(Neuron("fc3", 3), 0, 1)),
        ("fc3:toilet paper@0:1", Band(Neuron("fc3", 3), 0, 1)),
        (" fc3:1@ -2 : 3 ,", Band(Neuron("fc3", 1), -2, 3)),
        # The centre of an 8 x 8 map, counted from zero.
        ("conv1:2@0:1", Band(Neuron("conv1", 2, (4, 4)), 0, 1)),
        ("conv1:2, 0, 7@0:1", Band(Neuron("conv1", 2, (0, 7)), 0, 1)),
        ("conv1:2,max@0:1", Band(Neuron("conv1", 2, "max"), 0, 1)),
    ],
)
def test_one_target(tiny, text, band):
    assert parse(text, tiny) == (band,)


@pytest.mark.parametrize(
    "text",
    [
        "fc3:ship@8:10,conv1:2,3,4@0:1",
        "fc3:ship@8:10, conv1:2, 3, 4@0:1",
        "fc3:ship@8:10 conv1:2,3,4@0:1",
        "fc3:2@8:10,\n conv1:2,3,4@0:1\n",
    ],
)
def test_several_targets_in_the_order_written(tiny, text):
    expected = Band(Neuron("fc3", 2), 8, 10), Band(Neuron("conv1", 2, (3, 4)), 0, 1)
    assert parse(text, tiny) == expected


def test_labels_with_commas_do_not_split():
    assert split(f"fc3:{LABEL}@0:1, fc3:cat@1:2") == [f"fc3:{LABEL}@0:1", "fc3:cat@1:2"]


@pytest.fixture(scope="module")
def named():
    """A pair whose layers have names that hold what parts a target elsewhere."""
    x = keras.Input((8, 8, 3))
    h = keras.layers.Conv2D(3, 3, name="première convolution")(x)
    h = keras.layers.Flatten(name="flat")(h)
    h = keras.layers.Dense(4, name="a:b, 2@x")(h)
    f = keras.Model(x, keras.layers.Dense(4, name='the "last"')(h))
    return worlds.tiny_networks(classifier=f, encoder="flat", labels=None)


def test_layers_of_any_name(named):
    bands = (
        Band(Neuron("première convolution", 2, (0, 5)), 1, 2),
        Band(Neuron("a:b, 2@x", 3), -1, 0.5),
        Band(Neuron('the "last"', 1), 0, 1),
        Band(Neuron("flat", 7), 0, 1),
    )
    assert parse(", ".join(map(str, bands)), named) == bands
    for one in bands:
        assert parse(str(one), named) == (one,)
    assert [str(one.neuron) for one in bands] == [
        '"première convolution":2,0,5',
        '"a:b, 2@x":3',
        "'the \"last\"':1",
        "flat:7",
    ]
    # Names with blanks alone need no quotes where something else tells where they begin.
    text = "première convolution:2,0,5@1:2, flat:7@0:1 première convolution:0,1,1@3:4"
    first, second, third = parse(text, named)
    assert (first, second) == (bands[0], bands[3])
    assert third == Band(Neuron("première convolution", 0, (1, 1)), 3, 4)
    assert split("première convolution:2") == ["première convolution:2"]


def test_ranges_in_natural_units(natural):
    assert parse("fc3:0@p10:p99.5", natural)[0] == Band(Neuron("fc3", 0), 100, 995)
    assert parse("fc3:0@-0.5sd:+2sd", natural)[0] == Band(Neuron("fc3", 0), 4, 9)
    assert parse("fc3:0@+1sd:p50", natural)[0] == Band(Neuron("fc3", 0), 7, 500)
    # No range at all: high, and met by one natural image in a hundred.
    low, high = parse("fc3:0", natural)[0].z1, parse("fc3:0", natural)[0].z2
    assert (low, high) == (pytest.approx(990), pytest.approx(998))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected targets of the form LAYER:UNIT@Z1:Z2 (for example fc8:ship@8:10), got none"),
        ("fc3", "expected a target of the form LAYER:UNIT@Z1:Z2 (for example fc8:ship@8:10)"),
        ("fc3:1@2", "got 'fc3:1@2'"),
        ("fc3:1@2:3:4", "got 'fc3:1@2:3:4'"),
        ("fc4:1@2:3", "expected a layer of tiny, got 'fc4'; did you mean fc3 or fc2"),
        ("xyz:1@2:3", "the last ones are flatten, fc2, fc3"),
        ("fc3:4@2:3", "expected a unit of fc3 from 0 to 3, got 4"),
        ("fc3:-1@2:3", "expected a unit of fc3 from 0 to 3, got -1"),
        ("fc3:1,2,2@2:3", "expected no position for fc3, which has no map, got fc3:1,2,2"),
        ("conv1:1,8,0@2:3", "expected a position of conv1 below 8,8, got 8,0"),
        ("fc3:shop@2:3", "expected a label of fc3, got 'shop'; did you mean ship"),
        ("fc2:ship@2:3", "from 0 to 6 for a unit of fc2, which has no labels, got 'ship'"),
        ("fc3:1@3:2", "expected z1 < z2, both finite, got z1=3, z2=2 for fc3:1"),
        ("fc3:1@2:2", "expected z1 < z2, both finite, got z1=2, z2=2"),
        ("fc3:1@nan:2", "expected z1 < z2, both finite, got z1=nan"),
        ("fc3:1@1:inf", "expected z1 < z2, both finite, got z1=1, z2=inf"),
        ("fc3:1@-1e39:2", "holds float32 numbers, as activations are, got z1=-1e+39, z2=2.0"),
        ("fc3:1@1.00000001:1.00000002", "got z1=1.00000001, z2=1.00000002 for fc3:1: give a wider"),
        ("fc3:1@low:3", "(p95) or deviations (+2sd) for the range of 'fc3:1@low:3', got 'low'"),
        ("fc3:1@2sd:3", "or deviations (+2sd)"),
        ("fc3:1@p5:p9", "'fc3:1@p5:p9': network tiny stores no natural statistics of fc3:1"),
        ("fc3:1", "expected plain numbers for the range of 'fc3:1'"),
    ],
)
def test_refusals(tiny, text, words):
    with pytest.raises(UsageError) as refused:
        parse(text, tiny)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_percentiles_end_at_100(natural):
    with pytest.raises(UsageError, match="percentile from 0 to 100.*got 'p101'"):
        parse("fc3:0@p99:p101", natural)


def test_a_natural_range_without_a_width_is_that_of_a_dead_unit(natural):
    """Whose percentiles are all the same; plain numbers are another matter."""
    levels = np.array([0.0, 50.0, 100.0])
    flat = np.zeros(4), np.zeros(4), np.zeros((4, 3))
    dead = dataclasses.replace(natural, natural=Natural(9, "made up", levels, {"fc3": flat}))
    for ends in ("@p50:p99", "@+1sd:+2sd", ""):
        with pytest.raises(UsageError, match="fc3:2, which is 0 at .* as a dead unit is; give two"):
            parse(f"fc3:2{ends}", dead)
    assert parse("fc3:2@0:1", dead) == (Band(Neuron("fc3", 2), 0.0, 1.0),)
    with pytest.raises(UsageError, match="expected z1 < z2"):
        parse("fc3:2@p50:p50", dead)


def test_a_label_of_several_units_is_refused():
    crane = worlds.tiny_networks(labels=("fc3", ("crane", "dog", "crane", "cat")))
    with pytest.raises(UsageError, match="got 'crane'; which is one of crane, crane"):
        parse("fc3:crane@0:1", crane)
    assert parse("fc3:2@0:1", crane)[0].neuron.unit == 2


def test_layers_of_tokens_have_one_row():
    assert placed(Neuron("block", 3), (5, 8)) == Neuron("block", 3, (0, 2))
    assert placed(Neuron("block", 3, (0, 4)), (5, 8)).at == (0, 4)
    with pytest.raises(UsageError, match="below 1,5, got 1,0"):
        placed(Neuron("block", 3, (1, 0)), (5, 8))


def test_layers_without_a_fixed_shape_are_refused(tiny):
    import keras

    images = keras.Input((None, None, 3), name="data")
    h = keras.layers.Conv2D(2, 3, name="conv1")(images)
    e = keras.layers.GlobalAveragePooling2D(name="pool")(h)
    networks = Networks("any", keras.Model(images, e), tiny.generator, "pool", Codes("normal", 6))
    with pytest.raises(UsageError, match=r"fixed output shape of layer conv1, got \[None, None"):
        parse("conv1:0@0:1", networks)
    assert parse("pool:0@0:1", networks)[0].neuron == Neuron("pool", 0)


@pytest.mark.parametrize("bound", ["both", "paper"])
def test_margins_and_feasibility_at_and_across_the_edges(bound):
    """The sign of a margin and the test of feasibility agree to the last bit of an activation."""
    z1, z2 = np.float32(0.3), np.float32(1.7)
    z = np.array(
        [np.nextafter(z1, -1), z1, np.nextafter(z1, 9), 1, np.nextafter(z2, 0), z2]
        + [np.nextafter(z2, 9)],
        np.float32,
    )
    expected = np.array([0, 1, 1, 1, 1, 1, bound == "paper"], bool)
    target = worlds.target((z1, z2), sd=[0.5])
    problem = worlds.linear_problem([[1.0]], bound)
    g = margins(tf.constant(z[:, None]), target.z1, target.z2, target.sd, bound=bound).numpy()
    np.testing.assert_array_equal((g >= 0).all(axis=1), expected)
    np.testing.assert_array_equal(problem.feasible(z[:, None], target), expected)
    assert g[1, 0] == 0 and (bound == "paper" or g[5, 1] == 0)


def test_margins_are_in_natural_deviations_and_side_by_side():
    z = tf.constant([[4.0, 10.0]])
    g = margins(z, tf.constant([1.0, 8.0]), tf.constant([5.0, 9.0]), tf.constant([2.0, 0.5]), 0.5)
    np.testing.assert_allclose(g, [[1.25, 3.0, 0.25, -3.0]])
    g = margins(z, tf.constant([1.0, 8.0]), tf.constant([5.0, 9.0]), tf.constant([2.0, 0.5]), 0.5,
                "paper")  # fmt: skip
    np.testing.assert_allclose(g, [[1.25, 3.0]])


def test_not_a_number_is_in_no_band():
    problem = worlds.linear_problem([[1.0]])
    assert not problem.feasible(np.array([[math.nan]], np.float32), worlds.target((0, 1)))[0]


def test_bands_are_a_tuple_with_columns(tiny):
    bands = parse("fc3:ship@8:10,conv1:2,3,4@0:1,fc3:0@-1:2.5", tiny)
    assert isinstance(bands, tuple) and Bands(bands) == bands == tuple(bands)
    assert bands.neurons == (Neuron("fc3", 2), Neuron("conv1", 2, (3, 4)), Neuron("fc3", 0))
    assert bands.layers == ("fc3", "conv1", "fc3")
    assert bands.z1.tolist() == [8, 0, -1] and bands.z2.tolist() == [10, 1, 2.5]
    assert bands.z1.dtype == bands.z2.dtype == np.float64
    assert pickle.loads(pickle.dumps(bands)) == bands
    assert Bands().z1.shape == (0,)


@pytest.mark.parametrize("wrong", ["fc3:1@0:1", [("fc3", 0, 1)], None, 7])
def test_what_is_no_band_is_refused_in_one_line(wrong):
    with pytest.raises(UsageError, match="expected bands, as tf_inverse.parse makes them"):
        Bands(wrong)


def test_a_band_alone_is_several_of_one():
    one = Band(Neuron("fc3", 0), 0, 1)
    assert Bands(one) == (one,)
