#!/usr/bin/env bash
# Unpack Orthanc and its DICOMweb plugin from Debian's packages into a folder, without root: unpack.sh FOLDER
set -euo pipefail
mkdir -p "$1/packages"
cd "$1/packages"
# Those that are not installed, with what they need.
apt-get --simulate --no-install-recommends install orthanc orthanc-dicomweb | awk '/^Inst/ {print $2}' | xargs --no-run-if-empty apt-get download
for package in *.deb; do
    [ -e "$package" ] && dpkg -x "$package" ..
done
