"""Hyper-parameters in TensorBoard: no more of them, and no longer, than it can show."""

from rla_hooks.writers import parameter_tables


def test_the_tables_are_bounded():
    """Of 2000 hyper-parameters 500 are shown, and where the others are; long texts and lists have no column."""
    parameters = {"files": ["x" * 10] * 1000, "text": "y" * 2000, "lr": 0.1} | {f"p{i}": i for i in range(2000)}
    columns = parameter_tables.hparams(parameters).values
    assert len(columns) == 500 and columns["lr"] == 0.1 and not {"files", "text"} & set(columns)
    table = parameter_tables.text(parameters).markdown
    assert table.endswith("| 1503 more | in parameter.json |") and len(table) < 30_000
