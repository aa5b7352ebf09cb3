#!/bin/sh
# Train the guard on other data by overrides alone, calibrate it, attack a volume and defend it.
#
#     sh examples/other_data/run.sh WORK_FOLDER
#
# overrides.json beside this file says what is different. What is finished is not done again; EPOCHS in the environment
# takes the place of the entry there.
set -eu
work=${1:?"usage: sh examples/other_data/run.sh WORK_FOLDER"}
here=$(cd "$(dirname "$0")" && pwd)

# Copies without the shipped weights; they appear whole or not at all.
if [ ! -d "$work/bundles" ]; then
    rm -rf "$work/part"
    mkdir -p "$work/part"
    python "$here/phantoms.py" "$work/data"
    for name in detector reformer segmentation defended_segmentation; do
        mkdir "$work/part/brain_mri_$name"
        cp -R "$here/../../bundles/brain_mri_$name/configs" "$work/part/brain_mri_$name"
    done
    mv "$work/part" "$work/bundles"
fi

# run BUNDLE "CONFIGS OF THE BUNDLE" [--option value ...]
run() {
    root=$work/bundles/brain_mri_$1
    files=
    for config in $2; do
        files="$files'$root/configs/$config.json',"
    done
    files="$files'$here/overrides.json'"
    shift 2
    python -m monai.bundle run --bundle_root "$root" --config_file "[$files]" "$@"
}

for part in detector reformer segmentation; do
    run $part train --dataset_dir "$work/data" ${EPOCHS:+--epochs "$EPOCHS"}
done
run detector "train calibrate" --dataset_dir "$work/data"

bundles=$work/bundles/brain_mri_
python -m monai_advdefense.bundle_tools.assemble --detector "${bundles}detector" --reformer "${bundles}reformer" \
    --segmenter "${bundles}segmentation" --output "${bundles}defended_segmentation" --overlay "$here/overrides.json"
run defended_segmentation "inference calibrate_combined" --dataset_dir "$work/data"

# 1003 is of the test split. The step of the attack is three times that of the paper for slices of 64 x 64 (0.125):
# a guard that was trained for a minute lets weaker ones through.
clean=$work/data/images/1003.nii.gz
# A screen needs more subjects than these four: the sum of two scores decides, slice by slice.
run defended_segmentation "inference combined" --dataset_dir "$clean" --output_dir "$work/clean"
run defended_segmentation "inference attack" --dataset_dir "$clean" --output_dir "$work/attack" \
    --slices 8 --step_size 0.375
run defended_segmentation "inference combined" --dataset_dir "$work/attack/1003_attacked.nii.gz" \
    --output_dir "$work/attacked"
echo "done: the reports are $work/clean/report.html and $work/attacked/report.html"
