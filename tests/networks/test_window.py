import torch

from monai_advdefense.networks.window import Window

WINDOW = Window(3, 8, 5, 7, 32, 16)


def test_a_window_grows_as_far_as_the_image_goes() -> None:
    assert WINDOW.grown(2) == Window(1, 10, 3, 9, 32, 16)
    assert WINDOW.grown(100) == Window(0, 32, 0, 16, 32, 16)


def test_half_of_the_size_covers_the_window() -> None:
    assert WINDOW.halved() == Window(1, 4, 2, 4, 16, 8)
    assert WINDOW.halved().doubled() == Window(2, 8, 4, 8, 32, 16)


def test_joined_and_shared_hold_either_and_both() -> None:
    other = Window(6, 20, 0, 6, 32, 16)
    assert WINDOW.joined(other) == Window(3, 20, 0, 7, 32, 16)
    assert WINDOW.shared(other) == Window(6, 8, 5, 6, 32, 16)


def test_a_view_of_the_window_in_the_image_and_in_a_part_of_it() -> None:
    image = torch.arange(32 * 16).reshape(1, 1, 32, 16)
    frame = WINDOW.grown(2)
    assert torch.equal(WINDOW.of(image), image[..., 3:8, 5:7])
    assert torch.equal(WINDOW.of(frame.of(image), frame), image[..., 3:8, 5:7])
    assert WINDOW.area == WINDOW.of(image).numel()
