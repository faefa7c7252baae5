//! The sources as tokens, without comments and test code, for tests that keep the house in order.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A Rust file below the directory, `/`-separated from the package's root, with its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every Rust file below `directory`, sorted.
pub(crate) fn below(directory: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pending: Vec<PathBuf> = vec![root.join(directory)];
    let mut sources = Vec::new();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace('\\', "/");
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

/// What a file's code, less its tests, is made of.
#[derive(Default)]
pub(crate) struct Code {
    /// All tokens in order; `{`, `}` and their like are tokens too.
    pub(crate) tokens: Vec<String>,
    /// The first two segments of every path: `crate::domain::id` is `("crate", "domain")`.
    pub(crate) paths: Vec<(String, String)>,
    /// Modules declared as `#[cfg(test)] mod name;`: their files are tests.
    pub(crate) test_modules: Vec<String>,
}

pub(crate) fn code(text: &str) -> Code {
    let mut code = Code::default();
    let stream: TokenStream = text.parse().expect("sources are Rust");
    flatten(stream, &mut code);
    code.paths = paths(&code.tokens);
    code
}

fn flatten(stream: TokenStream, code: &mut Code) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                let is_test = matches!(trees.peek(), Some(TokenTree::Group(attribute))
                    if attribute.stream().to_string().replace(' ', "") == "cfg(test)");
                if is_test {
                    // The item ends at its body or its semicolon; attributes in between are bracketed.
                    let mut words = Vec::new();
                    for part in trees.by_ref() {
                        match part {
                            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => break,
                            TokenTree::Punct(end) if end.as_char() == ';' => {
                                code.test_modules.extend(words.pop());
                                break;
                            }
                            word => words.push(word.to_string()),
                        }
                    }
                } else {
                    code.tokens.push("#".to_owned());
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    _ => ("(", ")"),
                };
                code.tokens.push(open.to_owned());
                flatten(group.stream(), code);
                code.tokens.push(close.to_owned());
            }
            other => code.tokens.push(other.to_string()),
        }
    }
}

fn paths(tokens: &[String]) -> Vec<(String, String)> {
    let at = |index: usize| tokens.get(index).map_or("", String::as_str);
    let is_name = |token: &str| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let in_a_path = index >= 3
            && (at(index - 1), at(index - 2)) == (":", ":")
            && (is_name(at(index - 3)) && at(index - 3) != "use" || at(index - 3) == ">");
        if !is_name(token) || in_a_path {
            continue;
        }
        if (at(index + 1), at(index + 2)) != (":", ":") {
            // `use salvo;` and `use salvo as web;` name a crate without a path.
            if index > 0 && at(index - 1) == "use" {
                found.push((token.clone(), String::new()));
            }
            continue;
        }
        if at(index + 3) != "{" {
            found.push((token.clone(), at(index + 3).to_owned()));
            continue;
        }
        // `crate::{domain::id, store}`: the first name of each member.
        let mut depth = 0;
        for inner in index + 3..tokens.len() {
            let starts_member = matches!(at(inner - 1), "{" | ",");
            match at(inner) {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                name if depth == 1 && starts_member => found.push((token.clone(), name.to_owned())),
                _ => {}
            }
        }
    }
    found
}
