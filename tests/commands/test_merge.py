from monai_advdefense.commands.main import main


def test_a_folder_that_holds_no_shards_is_bad_input(tmp_path, capsys):
    assert main(["merge", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}: expected a manifest of a run that has ended, found none: give the")
