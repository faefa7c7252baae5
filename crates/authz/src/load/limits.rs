//! A look at the bytes before Cedar parses them: its parser recurses, and a policy nested a few
//! hundred levels deep would overflow the stack and take the process down.
//!
//! It only counts; whether the text is well-formed is the parser's business.

use crate::fault::Fault;
use crate::source::Source;

/// The deepest nesting of brackets, and the most `if`s in one policy.
const MAX_NESTING: usize = 64;
/// The deepest `is` within what another is asked of. Cedar takes `x is T in y` for `x is T && x in y`, and
/// its parser already goes through both: each level doubles its time.
const MAX_TESTS: usize = 8;
/// The longest policy, in bytes: the same limit as Amazon Verified Permissions has.
const MAX_POLICY_BYTES: usize = 10_000;

/// Which of Cedar's two languages a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Policies,
    Schema,
}

/// Finds what is too deep or too long to be given to the parser.
pub(super) fn check(source: &Source, language: Language) -> Vec<Fault> {
    if let Some(fault) = unreadable(source) {
        return vec![fault];
    }
    let mut scan = Scan {
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

/// What editors do not show and the parser takes otherwise than people read it.
fn unreadable(source: &Source) -> Option<Fault> {
    let text = source.inner();
    if text.starts_with('\u{feff}') {
        let fault = Fault::new("the file begins with a byte order mark");
        let help = "save it as UTF-8 without one";
        return Some(fault.help(help).at(source, 0, '\u{feff}'.len_utf8()));
    }
    let bytes = text.as_bytes();
    let position = bytes
        .iter()
        .enumerate()
        .position(|(at, byte)| *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))?;
    let line = text
        .get(..position)
        .unwrap_or_default()
        .matches('\n')
        .count()
        + 1;
    let fault = Fault::new(format!(
        "`{}` has a carriage return without a line feed in line {line}: it ends a comment, and editors \
         show it as the same line",
        source.name()
    ));
    Some(fault.help("end lines with a line feed, or with both"))
}

struct Scan<'a> {
    source: &'a Source,
    language: Language,
    faults: Vec<Fault>,
    depth: usize,
    ifs: usize,
    /// For each open bracket.
    tests: Vec<Tests>,
    /// Where the current policy starts.
    statement: Option<usize>,
    /// Reported once a policy: one policy of a thousand brackets is one mistake.
    too_deep: bool,
}

/// How deep `is` lies within what `is` is asked of, between two brackets.
#[derive(Default)]
struct Tests {
    most: usize,
    /// In the operand at hand.
    here: usize,
}

impl Scan<'_> {
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
                b'<' if self.language == Language::Schema => self.open(at),
                b')' | b']' | b'}' => self.close(),
                b'>' if self.language == Language::Schema => self.close(),
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
        self.tests.push(Tests::default());
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
            let fault = Fault::new(format!(
                "`is` within what `is` is asked of, more than {MAX_TESTS} levels deep"
            ));
            self.report(fault.help("ask for the type once, and go on with `&&`"), at);
        }
    }

    fn report_depth(&mut self, at: usize) {
        let fault = Fault::new(format!("nested more than {MAX_NESTING} levels deep"));
        let help = "split it into several policies or flatten it with `&&` and `||`";
        self.report(fault.help(help), at);
    }

    fn report(&mut self, fault: Fault, at: usize) {
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
        if self.language == Language::Policies && length > MAX_POLICY_BYTES {
            self.faults.push(
                Fault::new(format!(
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

    fn faults(text: &str, language: Language) -> Vec<String> {
        let source = Arc::new(NamedSource::new("p.cedar", Arc::from(text)));
        check(&source, language)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn nesting_is_refused_beyond_its_limit() {
        let nested = |levels: usize| format!("{}1{}", "(".repeat(levels), ")".repeat(levels));
        assert!(faults(&nested(64), Language::Policies).is_empty());
        assert_eq!(faults(&nested(65), Language::Policies).len(), 1);
        let brackets = "[".repeat(65);
        assert_eq!(faults(&brackets, Language::Policies).len(), 1);
        let ifs = "if a then b else ".repeat(65);
        assert_eq!(faults(&ifs, Language::Policies).len(), 1);
        let sets = "Set<".repeat(65);
        assert_eq!(faults(&sets, Language::Schema).len(), 1);
        assert!(faults(&"a < b && ".repeat(65), Language::Policies).is_empty());
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
                faults(&format!("when {{ {nested} }}"), Language::Policies)
            };
            assert!(nested(3).is_empty(), "{open}{close}");
            assert_eq!(nested(9).len(), 1, "{open}{close}");
        }
        let beside = "x is T in y && (x is T in y || [x is T, if x is T then x else x])";
        let beside = vec![beside; 40].join(" && ");
        let text = format!("when {{ {beside} }}");
        assert!(faults(&text, Language::Policies).is_empty());
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
            assert!(faults(&text, Language::Policies).is_empty(), "{text}");
        }
        for text in [
            format!("\"//\"{many}"),
            format!("\"\\\\\"{many}"),
            format!("/ /{many}"),
        ] {
            assert_eq!(faults(&text, Language::Policies).len(), 1, "{text}");
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
            assert_eq!(faults(&text, Language::Policies).len(), 1, "{text:?}");
        }
        assert!(faults(&format!("// comment\r\n{policy}\r\n"), Language::Policies).is_empty());
    }

    #[test]
    fn each_policy_is_measured_by_itself() {
        let policy = format!("permit{};", " ".repeat(9_990));
        assert!(faults(&policy.repeat(3), Language::Policies).is_empty());
        let long = format!("permit{};", "x".repeat(10_000));
        assert_eq!(faults(&long.repeat(2), Language::Policies).len(), 2);
        let ifs = format!("{};", "if ".repeat(40));
        assert!(faults(&ifs.repeat(3), Language::Policies).is_empty());
    }
}
