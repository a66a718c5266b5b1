"""Ground-truth files of UA-DETRAC and UAVDT."""

import numpy as np
import pytest

from spotlabel.detector.evaluation.average_precision import evaluate
from spotlabel.detector.evaluation.records import Detections
from spotlabel.detector.evaluation.tables import read_table
from spotlabel.detector.evaluation.traffic import detrac
from spotlabel.detector.evaluation.traffic.files import read_detections
from spotlabel.detector.evaluation.traffic.truth import read_detrac_truth, read_uavdt_truth
from spotlabel.pipeline.errors import DatasetError
from tests.helpers import brute_force_ap


@pytest.mark.realdata
def test_detrac_truth_finds_itself_outside_ignored_regions(shared_data):
    folder = shared_data / "ua-detrac"
    xml = folder / "DETRAC-Train-Annotations-XML/MVI_40201.xml"
    truth = read_detrac_truth(xml, 400, folder / "ignored_regions/MVI_40201_IgR.txt")
    assert (truth.name, len(truth.frame), len(truth.regions)) == ("MVI_40201", 4760, 3)
    assert truth.attributes["sence_weather"] == "cloudy"
    assert truth.boxes[0].tolist() == [857.6, 378.67, 103.4, 123.66]
    assert np.array_equal(read_detrac_truth(xml, 400).regions, truth.regions)
    perfect = Detections(truth.frame, truth.boxes, np.linspace(1, 0, len(truth.frame)))
    result = evaluate([detrac.match(truth, perfect)])
    # The annotations have 53 boxes half or more inside ignored regions: nobody can find those.
    assert (result.in_regions, result.hits) == (53, 4707)
    assert result.ap == pytest.approx(4707 / 4760)


@pytest.mark.realdata
def test_the_ignored_regions_of_a_published_file(shared_data):
    folder = shared_data / "ua-detrac"
    found = read_detections(folder / "detections/MVI_39511_Det_SpotNet.txt", "ua-detrac")
    regions = read_table(folder / "ignored_regions/MVI_39511_IgR.txt", 4)
    share = detrac.region_coverage(detrac.clamp(found.boxes), regions)
    # Pixel by pixel in plain Python, on a row in some hundred; regions cover whole pixels, corner to corner.
    rows = range(0, len(found), len(found) // 150)
    corners = np.floor(np.concatenate([regions[:, :2], regions[:, :2] + regions[:, 2:]], 1) + 0.5)
    whole = [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in corners.tolist()]
    expected = [
        brute_force_ap.ignored_share(
            brute_force_ap.clamped([int(v) for v in found.boxes[row]], detrac.IMAGE), whole, detrac.IMAGE
        )
        for row in rows
    ]
    assert share[list(rows)].tolist() == pytest.approx([float(value) for value in expected], abs=1e-12)
    assert 0 < np.count_nonzero(share >= detrac.COVERED) < len(found)
    assert any(0 < value < 1 for value in expected)


def write_truth(folder, whole, ignore=""):
    (folder / "M1_gt_whole.txt").write_text(whole)
    (folder / "M1_gt_ignore.txt").write_text(ignore)
    return folder


def test_uavdt_truth(tmp_path):
    folder = write_truth(tmp_path, "3,9,1,2,30,40,2,4,3\n1,8,5,6,7,8,1,1,1\n", "2,1,10,20,30,40,1,-1,-1\n")
    truth = read_uavdt_truth(folder, "M1")
    assert (truth.frames, truth.frame.tolist()) == (3, [3, 1])
    assert truth.boxes.tolist() == [[1, 2, 30, 40], [5, 6, 7, 8]]
    assert {k: v.tolist() for k, v in truth.labels.items()} == {
        "id": [9, 8],
        "out_of_view": [2, 1],
        "occlusion": [4, 1],
        "category": [3, 1],
    }
    assert (truth.region_frame.tolist(), truth.regions.tolist()) == ([2], [[10, 20, 30, 40]])
    write_truth(tmp_path, "1,8,5,6,7,8,1,1,1\n1,8,5,6,0,8,1,1,1\n")
    with pytest.raises(DatasetError, match=r"M1_gt_whole.txt: line 2: box .*must be positive"):
        read_uavdt_truth(folder, "M1")


XML = (
    '<sequence name="S"><frame num="{num}"><target_list><target id="1">{box}</target></target_list></frame>'
    "</sequence>"
)
BOX = '<box left="1" top="2" width="{w}" height="4"/>'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (XML.format(num=1, box=BOX.format(w="nan")), "frame 1: target 1: <box>: .*width='nan'"),
        (XML.format(num=1, box=BOX.format(w="-3")), "width and height positive"),
        (XML.format(num=1, box=""), "frame 1: target 1: has no <box>"),
        (XML.format(num="x", box=BOX.format(w=3)), "<frame num='x'>: expected a whole number"),
        ("<sequence>", "not a usable XML file"),
        ('<!DOCTYPE s [<!ENTITY a "b">]><sequence/>', "not a usable XML file"),
        ("<annotation/>", "expected a <sequence> element"),
    ],
)
def test_bad_detrac_files_are_named(tmp_path, text, problem):
    path = tmp_path / "bad.xml"
    path.write_text(text)
    with pytest.raises(DatasetError, match=rf"bad\.xml: .*{problem}"):
        read_detrac_truth(path, 10)
