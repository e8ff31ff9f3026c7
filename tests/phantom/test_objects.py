"""Things: closed, of plausible size, made of disjoint parts, the same for the same stream and different for another."""

from __future__ import annotations

import numpy as np
import pytest
from manifold3d import Manifold, Mesh64, OpType

from threatray.core import stream
from threatray.errors import ConfigError
from threatray.phantom.bags import object_thickness
from threatray.phantom.finishes import HIDDEN
from threatray.phantom.objects import BENIGN, THREATS, make
from threatray.phantom.parts import Part, assemble
from threatray.phantom.pose import Pose
from threatray.phantom.raster import Frame
from threatray.phantom.solids import box
from threatray.physics.materials import MATERIALS

LENGTH_CM = {"gun": (13, 26), "knife": (9, 37), "scissors": (10, 30), "wrench": (13, 30), "pliers": (12, 24), "hammer": (20, 35)}


@pytest.mark.parametrize("family", THREATS)
def test_threats_have_plausible_sizes(family):
    for number in range(4):
        thing = make(family, stream(1, family, number))
        span = np.ptp(thing.mesh.vertices, axis=0)
        assert LENGTH_CM[family][0] < max(span[:2]) < LENGTH_CM[family][1]
        assert span[2] < 6
        assert thing.class_name == family


@pytest.mark.parametrize("family", [*THREATS, *BENIGN])
def test_path_lengths_of_a_thing_sum_to_the_volume_of_its_parts(family):
    thing = make(family, stream(2, family))
    frame = Frame.centred((260, 260), float(np.abs(thing.mesh.vertices[:, :2]).max()) * 2.05 / 260)
    thickness, mask = object_thickness(thing, Pose(roll=0.2, tilt=0.1), frame)
    volume = sum(piece.mesh.volume_cm3 for piece in thing.pieces)
    assert sum(field.sum() for field in thickness.values()) * frame.pitch_cm**2 == pytest.approx(volume, rel=0.03)
    assert set(thickness) <= set(MATERIALS)
    np.testing.assert_array_equal(mask, sum(thickness.values()) > 0)


@pytest.mark.parametrize("family", ["gun", "scissors", "bottle"])
def test_the_same_stream_makes_the_same_individual(family):
    first, second, other = make(family, stream(3, "a")), make(family, stream(3, "a")), make(family, stream(3, "b"))
    np.testing.assert_array_equal(first.mesh.vertices, second.mesh.vertices)
    assert first.parameters == second.parameters
    assert first.parameters != other.parameters


def test_later_parts_displace_earlier_ones():
    thing = assemble("nut", None, [Part("wood", box(4, 4, 4), HIDDEN), Part("steel", box(2, 2, 2), HIDDEN)], {})
    assert [piece.mesh.volume_cm3 for piece in thing.pieces] == pytest.approx([64 - 8, 8])


def test_an_object_is_centred():
    thing = assemble("brick", None, [Part("wood", box(4, 2, 1).translate((9, 9, 9)), HIDDEN)], {})
    np.testing.assert_allclose(thing.mesh.vertices.max(axis=0), [2, 1, 0.5])
    np.testing.assert_allclose(thing.mesh.vertices.min(axis=0), [-2, -1, -0.5])


@pytest.mark.parametrize("family", ["scissors", "pliers", "knife"])
def test_pieces_of_a_threat_do_not_overlap(family):
    thing = make(family, stream(5, family))
    solids = [Manifold(Mesh64(piece.mesh.vertices, piece.mesh.faces.astype(np.uint64))) for piece in thing.pieces]
    union = Manifold.batch_boolean(solids, OpType.Add)
    assert union.volume() == pytest.approx(sum(solid.volume() for solid in solids), abs=1e-2)


def test_a_loaded_pistol_holds_brass_and_lead_inside_its_grip():
    thing = next(
        thing
        for k in range(40)
        if (thing := make("gun", stream(6, k))).family == "pistol" and thing.parameters["rounds"] > 4 and thing.parameters["polymer"]
    )
    frame = Frame.centred((200, 200), 0.13)
    thickness, _ = object_thickness(thing, Pose(), frame)
    rounds = thickness["brass"] > 0.1
    assert rounds.sum() > 50
    assert (thickness["polyamide"][rounds] > 0).mean() > 0.8


def test_an_unknown_family_is_refused():
    with pytest.raises(ConfigError, match="no family 'sword'"):
        make("sword", np.random.default_rng(0))
