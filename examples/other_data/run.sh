#!/bin/sh
# Train the guard on other data by overrides alone, calibrate it, attack a volume and defend it.
#
#     sh examples/other_data/run.sh WORK_FOLDER
#
# Two files say what is different: train.json and inference.json beside this one. EPOCHS may be set in the environment.
set -eu
work=${1:?"usage: sh examples/other_data/run.sh WORK_FOLDER"}
here=$(cd "$(dirname "$0")" && pwd)
epochs=${EPOCHS:-12}

# Copies without the shipped weights; what is there already goes on where it stopped.
if [ ! -d "$work/bundles" ]; then
    mkdir -p "$work"
    python "$here/phantoms.py" "$work/data"
    cp -R "$here/../../bundles" "$work"
    rm -f "$work"/bundles/*/models/*.pt "$work"/bundles/*/models/*.calibration.json
fi

# run BUNDLE CONFIGS [--option value ...]
run() {
    root=$work/bundles/brain_mri_$1
    files=$(echo "$2" | sed "s#@#$root/configs/#g")
    shift 2
    python -m monai.bundle run --bundle_root "$root" --config_file "[$files]" "$@"
}

for part in detector reformer segmentation; do
    run $part "'@train.json','$here/train.json'" --dataset_dir "$work/data" --epochs "$epochs"
done
run detector "'@train.json','@calibrate.json','$here/train.json'" --dataset_dir "$work/data"

bundles=$work/bundles/brain_mri_
python -m monai_advdefense.bundle.assemble --detector "${bundles}detector" --reformer "${bundles}reformer" \
    --segmenter "${bundles}segmentation" --output "${bundles}defended_segmentation" --overlay "$here/inference.json"
run defended_segmentation "'@inference.json','@calibrate.json','$here/inference.json'" --dataset_dir "$work/data"

# 1003 is of the test split.
clean=$work/data/images/1003.nii.gz
run defended_segmentation "'@inference.json','$here/inference.json'" --dataset_dir "$clean" --output_dir "$work/clean"
run defended_segmentation "'@inference.json','@attack.json','$here/inference.json'" \
    --dataset_dir "$clean" --output_dir "$work/attack" --slices 8
run defended_segmentation "'@inference.json','$here/inference.json'" \
    --dataset_dir "$work/attack/1003_attacked.nii.gz" --output_dir "$work/attacked"
echo "done: the reports are $work/clean/report.html and $work/attacked/report.html"
