//! No module imports one that imports it, however many lie between: what stands beside each other in a folder has an order.
//!
//! An import counts for the folders above it too: where `a::x` imports `b::y`, `a` imports `b`. Parents and their children may
//! import each other, and tests anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree};

use crate::{read, root, rules, sources};

/// The path of a module from its crate's root.
type Module = Vec<String>;

/// A path as it is written, in the module that it is written in.
type Written = (Module, Vec<String>);

/// Every module of a crate, what its sources name, and what it hands on under a name of its own.
#[derive(Default)]
struct Crate {
    modules: BTreeSet<Module>,
    written: Vec<Written>,
    handed_on: BTreeMap<(Module, String), Written>,
}

impl Crate {
    fn read(folder: &Path) -> Crate {
        let mut files = Vec::new();
        sources(folder, &mut files);
        let mut read = Crate::default();
        for file in files {
            let inside = file.strip_prefix(folder).unwrap().with_extension("");
            let names = inside.iter().map(|name| name.to_str().unwrap().to_owned());
            let mut module: Module = names.collect();
            if matches!(
                module.last().map(String::as_str),
                Some("mod" | "lib" | "main")
            ) {
                module.pop();
            }
            if module.iter().any(|name| name == "tests") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            let parsed = syn::parse_file(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            read.modules.insert(module.clone());
            read.items(&module, parsed.items);
        }
        read
    }

    fn items(&mut self, module: &Module, items: Vec<Item>) {
        for item in items {
            if is_of_tests(attributes(&item)) {
                continue;
            }
            match item {
                Item::Use(item) => {
                    let public = !matches!(item.vis, syn::Visibility::Inherited);
                    let mut leaves = Vec::new();
                    flatten(&item.tree, Vec::new(), &mut leaves);
                    for (path, name) in leaves {
                        let written = (module.clone(), path);
                        if public {
                            self.handed_on
                                .insert((module.clone(), name), written.clone());
                        }
                        self.written.push(written);
                    }
                }
                Item::Mod(item) => {
                    if let Some((_, items)) = item.content {
                        let inner: Module = module
                            .iter()
                            .cloned()
                            .chain([item.ident.to_string()])
                            .collect();
                        self.modules.insert(inner.clone());
                        self.items(&inner, items);
                    }
                }
                item => paths(item.to_token_stream(), &mut |path| {
                    self.written.push((module.clone(), path));
                }),
            }
        }
    }

    /// The module in which what is written is defined; none where that is another crate.
    fn target(&self, (module, path): &Written, depth: usize) -> Option<Module> {
        let mut names = path.iter().peekable();
        let mut found = match names.peek()?.as_str() {
            "crate" => {
                names.next();
                Module::new()
            }
            "self" | "super" => module.clone(),
            name => {
                let child: Module = module.iter().cloned().chain([name.to_owned()]).collect();
                self.modules.contains(&child).then(|| module.clone())?
            }
        };
        names.next_if(|name| *name == "self");
        while names.next_if(|name| *name == "super").is_some() {
            found.pop();
        }
        while let Some(name) = names.next() {
            let child: Module = found.iter().cloned().chain([name.clone()]).collect();
            if self.modules.contains(&child) {
                found = child;
            } else if let Some((of, path)) = self.handed_on.get(&(found.clone(), name.clone()))
                && depth < 8
            {
                let whole = path.iter().chain(names).cloned().collect();
                return self.target(&(of.clone(), whole), depth + 1).or(Some(found));
            } else {
                break;
            }
        }
        Some(found)
    }

    /// For each folder: which of its members imports which other, with one such import.
    fn imports(&self) -> BTreeMap<Module, BTreeMap<(String, String), String>> {
        let mut imports: BTreeMap<Module, BTreeMap<(String, String), String>> = BTreeMap::new();
        for written in &self.written {
            let Some(target) = self.target(written, 0) else {
                continue;
            };
            let from = &written.0;
            let shared = from.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (from.get(shared), target.get(shared)) {
                let example = format!("{} imports {}", from.join("::"), written.1.join("::"));
                let folder = imports.entry(from[..shared].to_vec()).or_default();
                folder.entry((a.clone(), b.clone())).or_insert(example);
            }
        }
        imports
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.to_token_stream().to_string().contains("(test)")
    })
}

/// Every path of a `use`, with the name it gets.
fn flatten(tree: &UseTree, mut before: Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
        }
        UseTree::Name(name) if name.ident == "self" => {
            let last = before.last().cloned().unwrap_or_default();
            found.push((before, last));
        }
        UseTree::Name(name) => {
            before.push(name.ident.to_string());
            found.push((before, name.ident.to_string()));
        }
        UseTree::Rename(renamed) => {
            before.push(renamed.ident.to_string());
            found.push((before, renamed.rename.to_string()));
        }
        UseTree::Glob(_) => found.push((before, "*".to_owned())),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before.clone(), found);
            }
        }
    }
}

/// Every path that begins with `crate`, `self` or `super`, in macros too.
fn paths(tokens: TokenStream, found: &mut impl FnMut(Vec<String>)) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(name) if !path.is_empty() && colons == 2 => {
                path.push(name.to_string())
            }
            TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() && colons < 2 => {
                colons += 1;
                continue;
            }
            other => {
                if path.len() > 1 {
                    found(std::mem::take(&mut path));
                }
                path.clear();
                match other {
                    TokenTree::Ident(name)
                        if name == "crate" || name == "self" || name == "super" =>
                    {
                        path.push(name.to_string());
                    }
                    TokenTree::Group(group) => paths(group.stream(), found),
                    _ => {}
                }
            }
        }
        colons = 0;
    }
    if path.len() > 1 {
        found(path);
    }
}

/// What members of a folder import of each other, as far as it leads in a circle; none where nothing does.
fn circle(imports: &BTreeMap<(String, String), String>) -> Option<Vec<String>> {
    let mut rest: BTreeSet<&(String, String)> = imports.keys().collect();
    loop {
        // Who imports nothing that is left is in no circle, nor is who is imported by none of it.
        let importing: BTreeSet<&String> = rest.iter().map(|(from, _)| from).collect();
        let imported: BTreeSet<&String> = rest.iter().map(|(_, to)| to).collect();
        let before = rest.len();
        rest.retain(|(from, to)| importing.contains(to) && imported.contains(from));
        if rest.is_empty() {
            return None;
        }
        if rest.len() == before {
            return Some(rest.into_iter().map(|edge| imports[edge].clone()).collect());
        }
    }
}

/// Breaks when modules of a crate import each other in a circle, parents and children aside.
#[test]
fn no_modules_import_each_other_in_a_circle() {
    for folder in rules(&read("ARCHITECTURE.md")).keys() {
        let source = root().join(folder).join("src");
        let all = Crate::read(&source);
        let imports = all.imports();
        let count: usize = imports.values().map(BTreeMap::len).sum();
        assert!(
            count > 0 || all.modules.len() < 12,
            "no import was found in {folder}"
        );
        for (module, imports) in imports {
            if let Some(circle) = circle(&imports) {
                panic!(
                    "{folder}, {}: a circle\n{}",
                    module.join("::"),
                    circle.join("\n")
                );
            }
        }
    }
}

/// Breaks when a layer of the engine or of the app imports a later one, or one is missing in ARCHITECTURE.md's lists of layers.
#[test]
fn layers_import_earlier_ones() {
    for (title, folder) in [
        ("## The engine's layers", "server/engine/src"),
        ("## The dashboard's layers", "app/src"),
    ] {
        check_layers(title, folder);
    }
}

/// The layers in the list below `title` are the modules of `folder`, each importing those before it alone.
fn check_layers(title: &str, folder: &str) {
    let document = read("ARCHITECTURE.md");
    let list = document.split(title).nth(1).unwrap();
    let list = list.split("\n## ").next().unwrap();
    let lines = list
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    let names = lines.flat_map(|line| {
        line.split(':')
            .next()
            .unwrap()
            .split('`')
            .skip(1)
            .step_by(2)
    });
    let order: Vec<&str> = names.collect();
    let all = Crate::read(&root().join(folder));
    let members = all.modules.iter().filter(|module| module.len() == 1);
    let members: BTreeSet<&str> = members.map(|module| module[0].as_str()).collect();
    assert_eq!(
        members,
        order.iter().copied().collect(),
        "modules, and the list of layers"
    );
    let place = |name: &String| order.iter().position(|layer| layer == name).unwrap();
    for ((from, to), example) in &all.imports()[&Module::new()] {
        assert!(
            place(to) < place(from),
            "{from} is before {to} in the list, but {example}"
        );
    }
}
