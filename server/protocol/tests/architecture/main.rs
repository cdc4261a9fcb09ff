//! Who may import whom: ARCHITECTURE.md says it, the manifests and sources must agree.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a row of the table of crates says.
struct Rule {
    may_import: BTreeSet<String>,
    never_has: BTreeSet<String>,
}

/// The table of crates, by folder.
fn rules(document: &str) -> BTreeMap<String, Rule> {
    let names = |cell: &str| -> BTreeSet<String> {
        let names = cell.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [folder, _, may_import, never_has, ""] = cells[..] else {
            panic!("a row of ARCHITECTURE.md has other cells: {row}")
        };
        let rule = Rule {
            may_import: names(may_import),
            never_has: names(never_has),
        };
        (folder.trim_end_matches('`').to_owned(), rule)
    })
    .collect()
}

fn table(text: &str) -> toml::Table {
    text.parse().unwrap()
}

/// The crates that a manifest names, tests and build scripts left out.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let own = manifest
        .get("dependencies")
        .and_then(|value| value.as_table());
    let targets = manifest.get("target").and_then(|value| value.as_table());
    let of_targets = targets.into_iter().flat_map(|targets| {
        let each = targets.iter();
        each.filter_map(|(_, target)| target.get("dependencies")?.as_table())
    });
    own.into_iter()
        .chain(of_targets)
        .flat_map(|table| table.keys().cloned())
        .collect()
}

/// Every Rust file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Breaks when a crate imports another that it may not, has what it must never have, or is missing in ARCHITECTURE.md.
#[test]
fn crates_import_only_what_they_may() {
    let rules = rules(&read("ARCHITECTURE.md"));
    let workspace = table(&read("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let members: BTreeSet<String> = members
        .iter()
        .map(|member| member.as_str().unwrap().to_owned())
        .collect();
    let named: BTreeSet<String> = rules.keys().cloned().collect();
    assert_eq!(
        members, named,
        "crates of Cargo.toml and of ARCHITECTURE.md"
    );
    let manifests: BTreeMap<&String, toml::Table> = members
        .iter()
        .map(|folder| (folder, table(&read(&format!("{folder}/Cargo.toml")))))
        .collect();
    let ours: BTreeSet<&str> = manifests
        .values()
        .map(|manifest| manifest["package"]["name"].as_str().unwrap())
        .collect();
    for (folder, manifest) in &manifests {
        let rule = &rules[*folder];
        for name in dependencies(manifest) {
            if ours.contains(name.as_str()) {
                let may = rule.may_import.contains(&name);
                assert!(
                    may,
                    "{folder} imports {name}, which ARCHITECTURE.md forbids"
                );
            }
            let never = rule.never_has.contains(&name);
            assert!(!never, "{folder} has {name}, which it never may");
        }
    }
}

/// Breaks when SQL is written outside the store.
#[test]
fn sql_is_in_the_store_alone() {
    let folder = root().join("server/src");
    let mut found = Vec::new();
    sources(&folder, &mut found);
    assert!(found.len() > 50, "{} sources", found.len());
    for path in found {
        let inside = path.strip_prefix(&folder).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let sql = text.contains("sqlx::");
        assert!(
            !sql || inside.starts_with("store"),
            "SQL in {}",
            inside.display()
        );
    }
}

/// Breaks when one number's way gets longer than five files, or names one that is not there.
#[test]
fn one_numbers_way_has_five_files_that_are_there() {
    let document = read("ARCHITECTURE.md");
    let way = document.split("## One number's way").nth(1).unwrap();
    let way = way.split("\n## ").next().unwrap();
    let steps: Vec<&str> = way
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    assert!((3..=5).contains(&steps.len()), "{} files", steps.len());
    for step in steps {
        let file = step.split('`').nth(1).unwrap();
        assert!(root().join(file).is_file(), "{file} is not there");
    }
}
