//! Automatic mutations of the shipped policies: each is one small mistake.

use std::collections::BTreeSet;
use std::fs;

use charter_domain::permission::Permission;
use test_support::policy_world::shipped;

const FILES: [&str; 9] = [
    "accounts.cedar",
    "audit-events.cedar",
    "decisions.cedar",
    "guardrails.cedar",
    "me.cedar",
    "normalization.cedar",
    "organizations.cedar",
    "roles.cedar",
    "service-accounts.cedar",
];

/// One edit of one policy.
pub(crate) struct Mutation {
    pub(crate) file: &'static str,
    /// What it does, to which policy.
    pub(crate) title: String,
    /// The whole file.
    pub(crate) text: String,
}

/// Every mutation of every policy but [`additions`].
pub(crate) fn mutations() -> Vec<Mutation> {
    of_each_policy(mutate)
}

/// One action more for what a permit is about, or what a forbid is not about.
pub(crate) fn additions() -> Vec<Mutation> {
    of_each_policy(add)
}

fn of_each_policy(mutate: fn(&str) -> Vec<(String, String)>) -> Vec<Mutation> {
    let mut all = Vec::new();
    for file in FILES {
        let text = fs::read_to_string(shipped().join(file)).expect("a file");
        let mut seen = BTreeSet::from([text.clone()]);
        let starts: Vec<usize> = text.match_indices("@id(").map(|(at, _)| at).collect();
        for &start in &starts {
            let end = |last: &str| text[start..].find(last).map(|at| start + at + 2);
            let end = [end("};\n"), end(");\n")].into_iter().flatten().min();
            let end = end.expect("an end");
            let policy = one_line(&text[start..end]);
            let id = policy.split('"').nth(1).expect("an id");
            let with = |policy: &str| format!("{}{policy}\n{}", &text[..start], &text[end..]);
            seen.insert(with(&policy));
            for (what, mutated) in mutate(&policy) {
                let whole = with(&mutated);
                if seen.insert(whole.clone()) {
                    all.push(Mutation {
                        file,
                        title: format!("{id}: {what}"),
                        text: whole,
                    });
                }
            }
        }
    }
    all
}

/// Whatever the formatter makes of it.
fn one_line(policy: &str) -> String {
    let words: Vec<&str> = policy.split_whitespace().collect();
    words.join(" ").replace("( ", "(").replace(" )", ")")
}

/// Where the annotations end.
fn id_end(policy: &str) -> usize {
    let effect = policy.find("permit (").or(policy.find("forbid ("));
    effect.expect("an effect") - 1
}

fn add(policy: &str) -> Vec<(String, String)> {
    let is_forbid = policy.contains("forbid (");
    let exceptions = policy.find("unless {").unwrap_or(policy.len());
    let widening = if is_forbid {
        exceptions..policy.len()
    } else {
        id_end(policy)..exceptions
    };
    let mut found = Vec::new();
    for permission in Permission::ALL {
        let action = format!("Action::\"{}\"", permission.as_str());
        if policy[widening.clone()].contains(&action) {
            continue;
        }
        let title = format!("add {action}");
        for operator in [
            "action == Action::",
            "action in Action::",
            "action in [Action::",
        ] {
            let sites = policy.match_indices(operator);
            for (at, _) in sites.filter(|(at, _)| widening.contains(at)) {
                let first = at + operator.len() - "Action::".len();
                let name_end = policy[first..].match_indices('"').nth(1);
                let name_end = first + name_end.expect("an action").0 + 1;
                let end = if operator.contains('[') { "" } else { "]" };
                let mutated = format!(
                    "{}action in [{action}, {}{end}{}",
                    &policy[..at],
                    &policy[first..name_end],
                    &policy[name_end..]
                );
                found.push((title.clone(), mutated));
            }
        }
        if is_forbid {
            let policy = policy.strip_suffix(';').expect("an end");
            let mutated = format!("{policy} unless {{ action == {action} }};");
            found.push((format!("unless {action}"), mutated));
        }
    }
    found
}

fn mutate(policy: &str) -> Vec<(String, String)> {
    let id_end = id_end(policy);
    let mut found = vec![("drop the policy".to_owned(), String::new())];
    let mut at_each = |what: &str, from: &str, to: &str| {
        for (at, _) in policy.match_indices(from).filter(|(at, _)| *at > id_end) {
            let mutated = format!("{}{to}{}", &policy[..at], &policy[at + from.len()..]);
            found.push((what.to_owned(), mutated));
        }
    };
    at_each("permit for forbid", "forbid (", "permit (");
    at_each("forbid for permit", "permit (", "forbid (");
    at_each("== to !=", " == principal", " != principal");
    at_each("== to !=", "resource == ", "resource != ");
    at_each("&& to ||", " && ", " || ");
    at_each("|| to &&", " ||", " &&");
    at_each("drop a negation", "!principal", "principal");
    at_each("when to unless", "when {", "unless {");
    at_each("unless to when", "unless {", "when {");
    at_each("reads to writes", "Action::\"reads\"", "Action::\"writes\"");
    at_each(
        "add principal.is_active",
        "{ principal.",
        "{ !principal.is_active || principal.",
    );
    for (from, to) in [
        ("owner", "admin"),
        ("owner", "member"),
        ("admin", "owner"),
        ("admin", "member"),
        ("member", "owner"),
        ("member", "admin"),
    ] {
        let role = |name: &str| format!("Role::\"{name}\"");
        at_each(&format!("role {from} to {to}"), &role(from), &role(to));
    }
    for kind in ["ServiceAccount", "User"] {
        at_each(
            "drop the principal's type",
            &format!("principal is {kind} in "),
            "principal in ",
        );
        at_each(
            "drop the principal's type",
            &format!("principal is {kind},"),
            "principal,",
        );
    }
    at_each(
        "another type of principal",
        "principal is ServiceAccount",
        "principal is User",
    );
    at_each(
        "another type of principal",
        "principal is User",
        "principal is ServiceAccount",
    );
    for kind in [
        "Organization",
        "Account",
        "ServiceAccount",
        "AccessKey",
        "User",
        "Role",
        "Permission",
    ] {
        at_each(
            "drop the resource's type",
            &format!("resource is {kind})"),
            "resource)",
        );
        at_each(
            "another type of resource",
            &format!("resource is {kind})"),
            "resource is Organization)",
        );
    }
    for (from, to) in [("when { ", " }"), ("unless { ", " }")] {
        if let Some(at) = policy.find(from) {
            let end = at + policy[at..].find(to).expect("an end") + to.len();
            let mutated = format!("{}{}", policy[..at].trim_end(), &policy[end..]);
            found.push((format!("drop {}", from.trim_end_matches(" { ")), mutated));
        }
    }
    found.extend(scope(policy));
    found.extend(lists(policy));
    found.extend(operands(policy, id_end));
    found
}

/// The scope's action and membership.
fn scope(policy: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut cut = |what: &str, from: &str, until: char, to: &str| {
        let found_at = policy.find(from);
        let end = found_at.and_then(|at| policy[at + 1..].find(until));
        if let Some((at, length)) = found_at.zip(end.map(|end| end + 1)) {
            let mutated = format!("{}{to}{}", &policy[..at], &policy[at + length..]);
            found.push((what.to_owned(), mutated));
        }
    };
    cut("any action", "action == Action", ',', "action");
    cut(
        "every read",
        "action == Action",
        ',',
        "action in Action::\"reads\"",
    );
    cut(
        "every write",
        "action == Action",
        ',',
        "action in Action::\"writes\"",
    );
    cut("drop the membership", " in Permission::\"", ',', "");
    cut(
        "another permission",
        " in Permission::\"",
        ',',
        " in Permission::\"organizations:GetOrganization\"",
    );
    cut(
        "a role for a permission",
        " in Permission::\"",
        ',',
        " in Role::\"member\"",
    );
    cut("drop the membership", " in Role::\"", ',', "");
    found
}

/// Lists of actions, each with one less.
fn lists(policy: &str) -> Vec<(String, String)> {
    let Some((at, end)) = policy.find('[').zip(policy.find(']')) else {
        return Vec::new();
    };
    let items: Vec<&str> = policy[at + 1..end].split(',').map(str::trim).collect();
    (0..items.len())
        .filter(|_| items.len() > 1)
        .map(|left_out| {
            let mut fewer = items.clone();
            let item = fewer.remove(left_out);
            let mutated = format!(
                "{}[{}]{}",
                &policy[..at],
                fewer.join(", "),
                &policy[end + 1..]
            );
            (format!("drop {item} from the list"), mutated)
        })
        .collect()
}

/// Each operand of `&&` and `||`, left out with its operator.
fn operands(policy: &str, id_end: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for operator in ["&&", "||"] {
        for (at, _) in policy
            .match_indices(operator)
            .filter(|(at, _)| *at > id_end)
        {
            let left =
                boundary(policy[..at].char_indices().rev(), &[')'], &['(']).map_or(0, |b| b + 1);
            let right = boundary(policy[at + 2..].char_indices(), &['('], &[')'])
                .map_or(policy.len(), |b| at + 2 + b);
            found.push((
                format!("drop what is left of {operator}"),
                format!("{} {}", &policy[..left], &policy[at + 2..]),
            ));
            found.push((
                format!("drop what is right of {operator}"),
                format!("{} {}", &policy[..at], &policy[right..]),
            ));
        }
    }
    found
}

/// Where an operand ends: at the next operator, or where its parentheses or braces do.
fn boundary(
    letters: impl Iterator<Item = (usize, char)>,
    opening: &[char],
    closing: &[char],
) -> Option<usize> {
    let mut depth = 0;
    for (at, letter) in letters {
        if opening.contains(&letter) {
            depth += 1;
        } else if closing.contains(&letter) {
            if depth == 0 {
                return Some(at);
            }
            depth -= 1;
        } else if depth == 0 && "{}&|".contains(letter) {
            return Some(at);
        }
    }
    None
}
