//! Scans the bytes before Cedar parses them: its parser recurses, and a policy nested a few hundred
//! levels deep would overflow the stack and crash the process.
//!
//! It only counts; whether the text is well-formed is left to the parser.

use crate::fault::FolderFault;
use crate::source::Source;
use charter_domain::text::is_forbidden;

/// The deepest nesting of brackets, and the most `if`s in one policy.
const MAX_NESTING: usize = 64;
/// The deepest nesting of `is`. Cedar's parser visits the operand of `x is T in y` twice, so each
/// level doubles its time.
const MAX_TESTS: usize = 8;
/// The longest policy, in bytes; the limit of Amazon Verified Permissions.
const MAX_POLICY_BYTES: usize = 10_000;

/// The language of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CedarLanguage {
    Policies,
    Schema,
}

/// Finds what is too deep or too long for the parser.
pub(super) fn check(source: &Source, language: CedarLanguage) -> Vec<FolderFault> {
    if let Some(fault) = check_encoding(source) {
        return vec![fault];
    }
    check_nesting(source, language)
}

/// Finds what could crash the parser; all that is asked of what an earlier version accepted.
pub(super) fn check_nesting(source: &Source, language: CedarLanguage) -> Vec<FolderFault> {
    let mut scan = NestingScan {
        source,
        language,
        faults: Vec::new(),
        depth: 0,
        ifs: 0,
        tests: Vec::new(),
        statement: None,
        too_deep: false,
    };
    scan.run();
    scan.faults
}

/// Finds characters that editors hide and the parser interprets.
fn check_encoding(source: &Source) -> Option<FolderFault> {
    let text = source.inner();
    if let Some(fault) = FolderFault::byte_order_mark(source) {
        return Some(fault);
    }
    let line_of = |position| {
        let before = text.get(..position).unwrap_or_default();
        before.matches('\n').count() + 1
    };
    if let Some((position, hidden)) = text
        .char_indices()
        .find(|(_, character)| is_forbidden(*character) && !"\n\r\t".contains(*character))
    {
        let fault = FolderFault::new(format!(
            "`{}` has the hidden character U+{:04X} in line {}: what is shown is not what is read",
            source.name(),
            u32::from(hidden),
            line_of(position)
        ));
        return Some(fault.help("remove it; in a string it can be escaped"));
    }
    let bytes = text.as_bytes();
    let position = bytes
        .iter()
        .enumerate()
        .position(|(at, byte)| *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))?;
    let line = line_of(position);
    let fault = FolderFault::new(format!(
        "`{}` has a carriage return without a line feed in line {line}: it ends a comment, and editors \
         show it as the same line",
        source.name()
    ));
    Some(fault.help("end lines with a line feed, or with both"))
}

struct NestingScan<'a> {
    source: &'a Source,
    language: CedarLanguage,
    faults: Vec<FolderFault>,
    depth: usize,
    ifs: usize,
    /// One for each open bracket.
    tests: Vec<TypeTests>,
    /// Offset of the current policy.
    statement: Option<usize>,
    /// Reported once per policy.
    too_deep: bool,
}

/// Nesting of `is` between two brackets.
#[derive(Default)]
struct TypeTests {
    most: usize,
    /// In the current operand.
    here: usize,
}

impl NestingScan<'_> {
    fn run(&mut self) {
        let text = self.source.inner();
        let mut bytes = text.bytes().enumerate().peekable();
        let mut word = String::new();
        while let Some((at, byte)) = bytes.next() {
            let in_word = byte.is_ascii_alphanumeric() || byte == b'_';
            if in_word {
                word.push(char::from(byte));
            } else {
                self.word(&mut word, at);
            }
            match byte {
                b'/' if bytes.peek().is_some_and(|&(_, next)| next == b'/') => {
                    // Cedar ends a comment at either.
                    while bytes
                        .next_if(|(_, c)| !matches!(c, b'\n' | b'\r'))
                        .is_some()
                    {}
                    continue;
                }
                b'"' => {
                    while let Some((_, inner)) = bytes.next() {
                        match inner {
                            b'\\' => {
                                bytes.next();
                            }
                            b'"' => break,
                            _ => {}
                        }
                    }
                }
                b'(' | b'[' | b'{' => self.open(at),
                b'<' if self.language == CedarLanguage::Schema => self.open(at),
                b')' | b']' | b'}' => self.close(),
                b'>' if self.language == CedarLanguage::Schema => self.close(),
                b'&' | b'|' | b',' => self.end_operand(),
                b';' if self.depth == 0 => self.end_statement(at),
                _ => {}
            }
            if !byte.is_ascii_whitespace() && byte != b';' && self.statement.is_none() {
                self.statement = Some(at);
            }
        }
        self.word(&mut word, text.len());
        self.end_statement(text.len());
    }

    fn open(&mut self, at: usize) {
        self.depth += 1;
        self.tests.push(TypeTests::default());
        if self.depth > MAX_NESTING {
            self.report_depth(at);
        }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.end_operand();
        if let (Some(inner), Some(outer)) = (self.tests.pop(), self.tests.last_mut()) {
            outer.here = outer.here.max(inner.most);
        }
    }

    fn end_operand(&mut self) {
        if let Some(tests) = self.tests.last_mut() {
            tests.most = tests.most.max(std::mem::take(&mut tests.here));
        }
    }

    fn word(&mut self, word: &mut String, end: usize) {
        let at = end.saturating_sub(word.len());
        match word.as_str() {
            "if" => {
                self.ifs += 1;
                self.end_operand();
                if self.ifs > MAX_NESTING {
                    self.report_depth(at);
                }
            }
            "then" | "else" => self.end_operand(),
            "is" => self.test(at),
            _ => {}
        }
        word.clear();
    }

    fn test(&mut self, at: usize) {
        let Some(tests) = self.tests.last_mut() else {
            return;
        };
        tests.here += 1;
        if tests.here > MAX_TESTS {
            let fault = FolderFault::new(format!(
                "`is` within what `is` is asked of, more than {MAX_TESTS} levels deep"
            ));
            self.report(fault.help("ask for the type once, and go on with `&&`"), at);
        }
    }

    fn report_depth(&mut self, at: usize) {
        let fault = FolderFault::new(format!("nested more than {MAX_NESTING} levels deep"));
        let help = "split it into several policies or flatten it with `&&` and `||`";
        self.report(fault.help(help), at);
    }

    fn report(&mut self, fault: FolderFault, at: usize) {
        if !std::mem::replace(&mut self.too_deep, true) {
            self.faults.push(fault.at(self.source, at, 1));
        }
    }

    fn end_statement(&mut self, end: usize) {
        self.ifs = 0;
        self.too_deep = false;
        let Some(start) = self.statement.take() else {
            return;
        };
        let length = end.saturating_sub(start);
        if self.language == CedarLanguage::Policies && length > MAX_POLICY_BYTES {
            self.faults.push(
                FolderFault::new(format!(
                    "a policy of {length} bytes, at most {MAX_POLICY_BYTES} are read"
                ))
                .help("split it into several policies")
                .at(self.source, start, 1),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use miette::NamedSource;

    use super::*;

    fn faults(text: &str, language: CedarLanguage) -> Vec<String> {
        let source = Arc::new(NamedSource::new("p.cedar", Arc::from(text)));
        check(&source, language)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn nesting_is_refused_beyond_its_limit() {
        let nested = |levels: usize| format!("{}1{}", "(".repeat(levels), ")".repeat(levels));
        assert!(faults(&nested(64), CedarLanguage::Policies).is_empty());
        assert_eq!(faults(&nested(65), CedarLanguage::Policies).len(), 1);
        let brackets = "[".repeat(65);
        assert_eq!(faults(&brackets, CedarLanguage::Policies).len(), 1);
        let ifs = "if a then b else ".repeat(65);
        assert_eq!(faults(&ifs, CedarLanguage::Policies).len(), 1);
        let sets = "Set<".repeat(65);
        assert_eq!(faults(&sets, CedarLanguage::Schema).len(), 1);
        assert!(faults(&"a < b && ".repeat(65), CedarLanguage::Policies).is_empty());
    }

    #[test]
    fn types_are_asked_for_within_each_other_only_so_often() {
        for (open, close) in [
            ("(", " is T in y)"),
            ("((if ", " is T in y then x else x) is T in y)"),
            ("{a: [1, ", "].contains(x)} is T in y"),
        ] {
            let nested = |levels: usize| {
                let nested = format!("{}x{}", open.repeat(levels), close.repeat(levels));
                faults(&format!("when {{ {nested} }}"), CedarLanguage::Policies)
            };
            assert!(nested(3).is_empty(), "{open}{close}");
            assert_eq!(nested(9).len(), 1, "{open}{close}");
        }
        let beside = "x is T in y && (x is T in y || [x is T, if x is T then x else x])";
        let beside = vec![beside; 40].join(" && ");
        let text = format!("when {{ {beside} }}");
        assert!(faults(&text, CedarLanguage::Policies).is_empty());
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "(".repeat(100);
        for text in [
            format!("// {many}\n"),
            format!("\"{many}\""),
            format!("\"\\\"{many}\""),
            format!("\"// \" // {many}"),
        ] {
            assert!(faults(&text, CedarLanguage::Policies).is_empty(), "{text}");
        }
        for text in [
            format!("\"//\"{many}"),
            format!("\"\\\\\"{many}"),
            format!("/ /{many}"),
        ] {
            assert_eq!(faults(&text, CedarLanguage::Policies).len(), 1, "{text}");
        }
    }

    #[test]
    fn marks_that_nobody_sees_are_refused() {
        let policy = "permit (principal, action, resource);";
        for text in [
            format!("\u{feff}{policy}"),
            format!("// comment\r{policy}"),
            format!("{policy}\r"),
        ] {
            assert_eq!(faults(&text, CedarLanguage::Policies).len(), 1, "{text:?}");
        }
        assert!(
            faults(
                &format!("// comment\r\n{policy}\r\n"),
                CedarLanguage::Policies
            )
            .is_empty()
        );
    }

    #[test]
    fn each_policy_is_measured_by_itself() {
        let policy = format!("permit{};", " ".repeat(9_990));
        assert!(faults(&policy.repeat(3), CedarLanguage::Policies).is_empty());
        let long = format!("permit{};", "x".repeat(10_000));
        assert_eq!(faults(&long.repeat(2), CedarLanguage::Policies).len(), 2);
        let ifs = format!("{};", "if ".repeat(40));
        assert!(faults(&ifs.repeat(3), CedarLanguage::Policies).is_empty());
    }
}
