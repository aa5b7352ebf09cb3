#!/usr/bin/env bash
# Pydicom writes texts of a sequence in the character set that they came in, whatever the file says, unless somebody has read them.
#
# Versions:  pydicom 3.0.2.
# Behaviour: a file in Latin-1 (ISO_IR 100) has the text "Schädel" twice, in the data set and in an item of a sequence. It is
#            read, its SpecificCharacterSet is set to UTF-8 (ISO_IR 192), and it is saved. Then the text of the data set is
#            right, and that in the sequence is no UTF-8: bytes of Latin-1, which read as "Sch?del" with a replacement
#            character. So it is if the sequence is put into a new data set in UTF-8. Nothing is said when it is written. If
#            anybody has looked at the text before, a debugger or print(), the same lines write it right.
# Expected:  the same text, as at the top, or an error.
# Hit:       whoever takes code sequences from images into an object of his own, or unifies character sets of an archive: texts
#            are garbled, in files that looked right when they were printed. Highdicom's argument
#            specific_character_set is such a case. A way round: Dataset.decode() before the character set is changed.
#
# Output:
#   file in Latin-1: Schädel, in the sequence Schädel
#   changed to UTF-8: Schädel, in the sequence Sch?del
#   changed to UTF-8 after a look: Schädel, in the sequence Schädel
#   put into a data set in UTF-8: Schädel, in the sequence Sch?del
#   put into a data set in UTF-8 after a look: Schädel, in the sequence Schädel
#   decode() before: Schädel, in the sequence Schädel
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicom==3.0.2

cd "$folder"
PYTHONUTF8=1 "$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

sys.excepthook = lambda kind, error, _: print(f"{kind.__name__}: {error}")
TEXT, LATIN_1, UTF_8 = "Schädel", "ISO_IR 100", "ISO_IR 192"


def data_set(character_set, text, procedures):
    new = Dataset()
    new.file_meta = FileMetaDataset()
    new.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    new.SOPClassUID, new.SOPInstanceUID, new.SpecificCharacterSet = MRImageStorage, generate_uid(), character_set
    new.StudyDescription, new.ProcedureCodeSequence = text, procedures
    return new


def texts(changed):
    """Those of the data set and of its sequence, as they are read from the file that it is written to."""
    changed.save_as("changed.dcm", enforce_file_format=True)
    read = dcmread("changed.dcm")
    return read.StudyDescription, read.ProcedureCodeSequence[0].CodeMeaning


def source(*, look=False, decode=False):
    read = dcmread("latin1.dcm")
    if look:
        read.ProcedureCodeSequence[0].CodeMeaning
    if decode:
        read.decode()
    return read


def changed(read):
    read.SpecificCharacterSet = UTF_8
    return read


def moved(read):
    return data_set(UTF_8, read.StudyDescription, read.ProcedureCodeSequence)


procedure = Dataset()
procedure.CodeValue, procedure.CodingSchemeDesignator, procedure.CodeMeaning = "1", "99LOCAL", TEXT
data_set(LATIN_1, TEXT, [procedure]).save_as("latin1.dcm", enforce_file_format=True)
found = {
    "file in Latin-1": texts(source()),
    "changed to UTF-8": texts(changed(source())),
    "changed to UTF-8 after a look": texts(changed(source(look=True))),
    "put into a data set in UTF-8": texts(moved(source())),
    "put into a data set in UTF-8 after a look": texts(moved(source(look=True))),
    "decode() before": texts(changed(source(decode=True))),
}
for case, (top, inside) in found.items():
    print(f"{case}: {top}, in the sequence {inside}".replace("\ufffd", "?"))
lost = [case for case, (_, inside) in found.items() if inside != TEXT]
assert lost == ["changed to UTF-8", "put into a data set in UTF-8"], "changed"
assert {top for top, _ in found.values()} == {TEXT}, "changed"
print("as stated")
PYTHON
