import gzip

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

pytest.importorskip("nilearn")

from monai_advdefense.data import template_sample as module
from monai_advdefense.data.template_datalist import template_datalist
from monai_advdefense.errors import InputError, OutputError
from tests.data.mean_noise import mean_noise


@pytest.fixture(scope="module")
def sample(template):
    return module.template_sample(0)


@pytest.fixture
def small(monkeypatch, template):
    """The same generator on every third voxel: another anatomy, 27 times as fast."""
    maps, affine = template
    coarse = np.ascontiguousarray(maps[:, ::3, ::3, ::3]), affine @ np.diag([3.0, 3.0, 3.0, 1.0])
    monkeypatch.setattr(module, "load_template", lambda: coarse)


@pytest.fixture
def written(monkeypatch, tmp_path, small):
    """A folder for files, the one sample that is written for every seed, and the seeds that were generated."""
    sample, seeds = module.template_sample(0), []
    monkeypatch.setattr(module, "template_sample", lambda seed, **_: seeds.append(seed) or sample)
    return tmp_path, sample, seeds


def test_same_seed_same_brain_other_seed_other_brain(small):
    first, again, other = (module.template_sample(seed) for seed in (5, 5, 6))
    for name in ("image", "grey", "white"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    both = (first.image > 0) & (other.image > 0)
    assert (first.image[both] != other.image[both]).mean() > 0.9


def test_a_slab_holds_the_slices_that_are_asked_for(template):
    maps, affine = template
    slab = module.template_sample(3, coronal=(-25.0, -18.0))
    assert slab.image.shape == slab.tissue.shape == (maps.shape[1], 8, maps.shape[3])
    np.testing.assert_array_equal(slab.affine[:3, 3], [affine[0, 3], -25, affine[2, 3]])
    # Its anatomy is that place's of the template.
    first = round(-25 - affine[1, 3])
    inside = maps[:2, :, first : first + 8].sum(axis=0) > 0.5
    overlap = (slab.image > 0) & inside
    assert overlap.sum() > 0.85 * max((slab.image > 0).sum(), inside.sum())


def test_background_is_zero_and_the_brain_is_one_piece_that_fits_the_slice(sample):
    brain = sample.image > 0
    assert sample.image.dtype == np.int16
    assert sample.image.min() == 0
    assert not sample.tissue[~brain].any()
    assert ndimage.label(brain)[1] == 1
    extent = np.ptp(np.argwhere(brain), axis=0) + 1
    assert extent[0] <= 192
    assert extent[2] <= 192
    # Nothing was cut off by the grid.
    assert all(not brain.take(side, axis).any() for axis in range(3) for side in (0, -1))
    assert 1.1e6 < brain.sum() < 1.9e6


def test_tissues_have_the_contrast_of_a_t1_scan(sample):
    brain = sample.image > 0
    other, grey, white = (np.median(sample.image[brain & (sample.tissue == label)]) for label in (0, 1, 2))
    assert other < 0.8 * grey
    assert grey < 0.75 * white
    # Ventricles are darker still: fluid deep in the head.
    deep = ndimage.binary_erosion(brain, iterations=15) & (sample.grey + sample.white < 0.1)
    assert np.median(sample.image[deep]) < 1.5 * module.FLUID


def test_labels_lie_where_the_image_shows_them(sample):
    white = sample.tissue == 2
    # Bias field and the subject's own contrast move the levels: cut halfway between the two.
    bright = sample.image > np.mean([np.median(sample.image[sample.tissue == label]) for label in (1, 2)])
    assert 2 * (white & bright).sum() / (white.sum() + bright.sum()) > 0.9
    shifted = np.roll(bright, 4, axis=0)
    assert 2 * (white & shifted).sum() / (white.sum() + shifted.sum()) < 0.75


def test_noise_is_at_the_level_of_real_scans(sample):
    inside = ndimage.binary_erosion(sample.tissue == 2, iterations=3)
    assert mean_noise(sample.image, inside) == pytest.approx(module.NOISE, rel=0.1)


def test_anatomy_is_another_one_than_the_template(sample, template):
    average = template[0][2] > 0.5
    white = sample.tissue == 2
    assert 0.4 < 2 * (white & average).sum() / (white.sum() + average.sum()) < 0.8


def test_files_round_trip(written):
    folder, sample, seeds = written
    images = module.write_template_samples(folder, 2, first_seed=799)
    assert images == [folder / "images" / "sample_799.nii.gz", folder / "images" / "sample_800.nii.gz"]
    assert seeds == [799, 800]
    for kind, array in (("images", sample.image), ("tissue", sample.tissue)):
        volume = nib.load(folder / kind / "sample_799.nii.gz")
        assert volume.get_data_dtype() == array.dtype
        np.testing.assert_array_equal(np.asanyarray(volume.dataobj), array)
        np.testing.assert_allclose(volume.affine, sample.affine)
        assert volume.header["qform_code"] > 0
        np.testing.assert_allclose(volume.get_qform(), sample.affine, atol=1e-5)
        assert volume.header.get_xyzt_units()[0] == "mm"
    assert sorted(path.name for path in folder.rglob("*.gz*")) == sorted(path.name for path in images * 2)


@pytest.mark.parametrize("kind", ["images", "tissue"])
def test_complete_files_are_kept_and_broken_ones_written_again(written, kind):
    folder, _, seeds = written
    module.write_template_samples(folder, 1)
    path = folder / kind / "sample_000.nii.gz"
    whole = path.read_bytes()
    module.write_template_samples(folder, 1)
    assert seeds == [0]
    other_seed = gzip.compress(gzip.decompress(whole).replace(b"seed 0", b"seed 9"), 1)
    for times, broken in enumerate((whole[: len(whole) // 2], whole[:100], b"", b"not a volume", other_seed), start=2):
        path.write_bytes(broken)
        module.write_template_samples(folder, 1)
        assert len(seeds) == times
        assert path.read_bytes() == whole


def test_a_failed_write_leaves_no_file(written):
    folder, *_ = written
    (folder / "images").write_text("in the way")
    with pytest.raises(OutputError, match="images"):
        module.write_template_samples(folder, 1)
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("options", [{"count": 0}, {"count": 2, "first_seed": 999}, {"count": 1, "first_seed": -1}])
def test_seeds_of_no_split_are_refused(tmp_path, options):
    with pytest.raises(InputError, match="between 0 and 999"):
        module.write_template_samples(tmp_path, **options)


def test_command_writes_pairs_that_the_datalist_finds(small, tmp_path, capsys):
    for split, count in (("train", 2), ("test", 1)):
        module.main(["--output_dir", str(tmp_path), "--split", split, "--count", str(count)])
        assert f"{count}/{count} {tmp_path}" in capsys.readouterr().out
    train, test = (template_datalist(tmp_path, split) for split in ("train", "test"))
    assert [case["subject"] for case in train + test] == ["sample_000", "sample_001", "sample_900"]
    for case in train + test:
        image, tissue = (np.asanyarray(nib.load(case[key]).dataobj) for key in ("image", "tissue"))
        assert set(np.unique(tissue)) == {0, 1, 2}
        assert (image[tissue > 0] > 0).all()


@pytest.mark.parametrize("count", ["0", "701"])
def test_command_refuses_a_count_beyond_its_split(tmp_path, capsys, count):
    with pytest.raises(SystemExit) as stop:
        module.main(["--output_dir", str(tmp_path), "--split", "train", "--count", count])
    assert stop.value.code == 2
    assert "--count: expected 1 to 700" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["images", "tissue"])
def test_a_volume_of_another_origin_is_not_replaced(written, kind):
    folder, *_ = written
    path = folder / kind / "sample_000.nii.gz"
    path.parent.mkdir()
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.int16), np.eye(4)), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"sample_000.nii.gz: .+another volume"):
        module.write_template_samples(folder, 1)
    assert path.read_bytes() == before
