//! The parts of a policy have the text and the line that they were written with.

use cedar_policy::PolicySet;
use charter_policy::conditions::{Conditions, Keyword};

#[test]
fn each_part_has_its_text_and_its_line() {
    let text = r#"
// A sentence.
@id("many")
forbid (
  principal is User in Role::"member",
  action in [Action::"read", Action::"write"],
  resource == Organization::"o"
)
when {
  principal.is_active // as
    == resource.is_active &&
  (principal has a || !(context.n > 1 || context.n == 0)) && !context.flag
}
when { "// no comment" != context.name }
unless { if context.flag then true else false }
unless { principal == resource || principal in resource };
"#;
    let set: PolicySet = text.parse().expect("policies");
    let policy = set.policies().next().expect("one");
    let conditions = Conditions::of(policy);
    let scope = conditions
        .scope
        .iter()
        .map(|asked| (asked.part.line(), asked.part.text()));
    let scope: Vec<_> = scope.collect();
    assert_eq!(
        scope,
        [
            (Some(5), "principal is User in Role::\"member\"".to_owned()),
            (
                Some(6),
                "action in [Action::\"read\",Action::\"write\"]".to_owned()
            ),
            (Some(7), "resource == Organization::\"o\"".to_owned()),
        ]
    );
    let singles: Vec<_> = conditions
        .parts()
        .into_iter()
        .map(|(keyword, part)| (keyword, part.line().expect("a line"), part.text()))
        .collect();
    let expected = [
        (
            Keyword::When,
            10,
            "principal.is_active == resource.is_active",
        ),
        (Keyword::When, 12, "principal has a"),
        (Keyword::When, 12, "context.n > 1"),
        (Keyword::When, 12, "context.n == 0"),
        (Keyword::When, 12, "!context.flag"),
        (Keyword::When, 14, "\"// no comment\" != context.name"),
        (Keyword::Unless, 15, "if context.flag then true else false"),
        (Keyword::Unless, 16, "principal == resource"),
        (Keyword::Unless, 16, "principal in resource"),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(keyword, line, text)| (keyword, line, text.to_owned()))
        .collect();
    assert_eq!(singles, expected);
}
