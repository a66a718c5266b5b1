"""Crops around boxes: mirrored where the image's border cuts a box, exact, and back again."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spotlabel.labelers.learned.crops import UNKNOWN, box_pixels, cropped, framed, pasted, places

HEIGHT, WIDTH = 20, 30


def crops(*box: float, margin: float = 0.5):
    return places(np.array([box], np.float32), (HEIGHT, WIDTH), margin)[0]


def test_a_crop_is_the_box_with_its_margin():
    (found,) = crops(10, 8, 14, 12)
    assert found.columns.tolist() == [8, 9, 10, 11, 12, 13, 14, 15]
    assert found.rows.tolist() == [6, 7, 8, 9, 10, 11, 12, 13]
    assert found.inside == np.s_[2:6, 2:6]


def test_a_crop_ends_where_the_image_ends():
    (found,) = crops(2, 2, 10, 18)
    assert found.columns[0] == 0
    assert found.rows.tolist() == list(range(HEIGHT))
    assert found.inside == np.s_[2:18, 2:10]


def test_the_image_is_mirrored_over_the_border_that_cuts_a_box():
    ends, margin, whole = crops(0, 8, 4, 12)
    assert ends.columns.tolist() == [0, 1, 2, 3, 4, 5]
    assert ends.inside == np.s_[2:6, 0:4]
    assert margin.columns.tolist() == [1, 0, 0, 1, 2, 3, 4, 5]
    assert margin.inside == np.s_[2:6, 2:6]
    assert whole.columns.tolist() == [5, 4, 3, 2, 1, 0, 0, 1, 2, 3, 4, 5]
    assert whole.inside == np.s_[2:6, 6:10]
    ends, margin, whole = crops(10, 16, 14, 20)
    assert ends.rows.tolist() == [14, 15, 16, 17, 18, 19]
    assert margin.rows.tolist() == [14, 15, 16, 17, 18, 19, 19, 18]
    assert whole.rows.tolist() == [14, 15, 16, 17, 18, 19, 19, 18, 17, 16, 15, 14]
    assert [len(crops(x, 8, x + 4, 12)) for x in (0, 1, 2, 24, 25, 26)] == [3, 3, 1, 1, 3, 3]


def test_a_box_as_large_as_the_image_is_mirrored_over_all_four():
    for found in crops(0, 0, WIDTH, HEIGHT, margin=2)[1:]:  # more than there is to mirror
        assert len(found.rows) == 5 * HEIGHT
        assert found.rows.max() == HEIGHT - 1
        assert found.rows[2 * HEIGHT : 3 * HEIGHT].tolist() == list(range(HEIGHT))
        assert found.rows[HEIGHT : 2 * HEIGHT].tolist() == list(range(HEIGHT))[::-1]


def test_a_box_outside_the_image_has_no_crop():
    assert crops(40, 5, 50, 9) == []
    assert crops(5, 5, 5, 9) == []


def test_shrinking_takes_means_of_all_pixels():
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    whole = places(np.array([[0, 0, 96, 64]], np.float32), (64, 96), 0)[0][0]
    small = cropped(image, whole, 16)
    expected = cv2.resize(image.astype(np.float64), (16, 16), interpolation=cv2.INTER_AREA)
    assert np.abs(small - expected).max() <= 0.5


@st.composite
def boxes(draw):
    x0, y0 = draw(st.floats(-20, 40)), draw(st.floats(-20, 30))
    return x0, y0, x0 + draw(st.floats(0, 60)), y0 + draw(st.floats(0, 60))


@given(boxes(), st.floats(0, 2))
def test_what_is_cropped_comes_back_to_the_pixels_of_its_box(box, margin):
    pixels = box_pixels(np.array([box], np.float32), (HEIGHT, WIDTH))[0]
    found = crops(*box, margin=margin)
    empty = pixels[0].stop == pixels[0].start or pixels[1].stop == pixels[1].start
    assert (found == []) == empty
    shape = len(range(HEIGHT)[pixels[0]]), len(range(WIDTH)[pixels[1]])
    image = np.full((HEIGHT, WIDTH, 3), 7, np.uint8)
    for place in found:
        assert place.rows[place.inside[0]].tolist() == list(range(HEIGHT))[pixels[0]]
        assert place.columns[place.inside[1]].tolist() == list(range(WIDTH))[pixels[1]]
        assert (cropped(image, place, 16) == 7).all()
        assert pasted(np.full((16, 16), 9, np.uint8), place).tolist() == np.full(shape, 9).tolist()


@given(
    st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(1, 12), st.integers(1, 12),
    st.sampled_from([0.0, 0.3, 0.5]),
)  # fmt: skip
def test_a_framed_crop_is_black_and_not_known_outside_the_image(x, y, width, height, margin):
    image = np.random.default_rng(0).integers(1, 255, (HEIGHT, WIDTH, 4)).astype(np.uint8)
    box = np.array([[x, y, min(x + width, WIDTH), min(y + height, HEIGHT)]], np.float32)
    ((place,),) = framed(box, (HEIGHT, WIDTH), margin)
    (pixels,) = box_pixels(box, (HEIGHT, WIDTH))
    around = [round(margin * (part.stop - part.start)) for part in pixels]
    wide = np.zeros((HEIGHT + 40, WIDTH + 40, 4), np.uint8)
    wide[..., 3] = UNKNOWN
    wide[20:-20, 20:-20] = image
    rows, columns = (
        slice(part.start + 20 - more, part.stop + 20 + more)
        for part, more in zip(pixels, around, strict=True)
    )
    side = max(len(place.rows), len(place.columns))
    expected = cv2.resize(wide[rows, columns], (side, side), interpolation=cv2.INTER_LINEAR_EXACT)
    if max(len(place.rows), len(place.columns)) < 2 * side:
        np.testing.assert_array_equal(cropped(image, place, side), expected)
    np.testing.assert_array_equal(wide[rows, columns][place.inside], image[pixels])


def test_a_box_without_pixels_has_no_framed_crop():
    assert framed(np.array([[4, 4, 4, 9]], np.float32), (HEIGHT, WIDTH), 0.3) == [[]]
