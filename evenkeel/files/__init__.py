"""Files: reading text, tables, JSON and YAML with clear refusals; writing whole or not at all."""

from evenkeel.files.inputs import open_input, real_path, require_file, require_folder
from evenkeel.files.json_files import (
    add_once,
    read_json,
    read_jsonl,
    read_object,
    read_record,
    write_json,
    write_jsonl,
)
from evenkeel.files.lines import lines_of, text_of
from evenkeel.files.markers import mark_folder, require_intact
from evenkeel.files.outputs import require_replaceable
from evenkeel.files.tables import rows_of, table_text, write_table
from evenkeel.files.unfinished import work_folder
from evenkeel.files.writing import atomic_file, atomic_folder, write_text
from evenkeel.files.yaml_files import read_yaml

__all__ = [
    "add_once",
    "atomic_file",
    "atomic_folder",
    "lines_of",
    "mark_folder",
    "open_input",
    "read_json",
    "read_jsonl",
    "read_object",
    "read_record",
    "read_yaml",
    "real_path",
    "require_file",
    "require_folder",
    "require_intact",
    "require_replaceable",
    "rows_of",
    "table_text",
    "text_of",
    "work_folder",
    "write_json",
    "write_jsonl",
    "write_table",
    "write_text",
]
