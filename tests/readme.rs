//! The README's claims that can be counted.

use std::fs;
use std::path::Path;

/// The table's lines of code are told to the nearest ten, and may drift by a tenth.
#[test]
fn lines_of_each_step_are_as_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let rows: Vec<_> = readme.lines().filter(|line| line.starts_with("| [0")).collect();
    assert_eq!(rows.len(), 7, "one row for each step");
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let step = cells[1].trim_start_matches('[').split(']').next().unwrap();
        let told: usize = cells[3].parse().unwrap();
        let counted = lines(&root.join("steps").join(step).join("src"));
        assert!(counted.abs_diff(told) * 10 <= counted, "{step} has {counted} lines, README.md says {told}");
        let chapter = cells[4].split('(').nth(1).unwrap().trim_end_matches(')');
        assert!(root.join(chapter).is_file(), "{chapter} is not there");
    }
}

fn lines(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: std::path::PathBuf| match path.is_dir() {
        true => lines(&path),
        false => fs::read_to_string(path).unwrap().lines().count(),
    };
    entries.map(count).sum()
}
