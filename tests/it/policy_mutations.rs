//! Automatic mutations of the shipped policies: each that allows more than before is refused by a
//! gate, and a table says by which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cedar_policy::{Authorizer, Context, Entities, EntityUid, Request};
use charter_authz::snapshot::Snapshot;
use charter_domain::clock::SystemClock;
use charter_domain::permission::Permission;
use charter_policy::diff::{Diff, Direction, widens};
use charter_policy::solver::Solver;
use serde_json::Value;

use crate::policy_solver::{Edited, limits, proofs, solver};
use crate::policy_world::{Tenant, ask, shipped};

const FILES: [&str; 7] = [
    "accounts.cedar",
    "decisions.cedar",
    "guardrails.cedar",
    "normalization.cedar",
    "organizations.cedar",
    "roles.cedar",
    "service-accounts.cedar",
];

/// One edit of one policy.
struct Mutation {
    file: &'static str,
    /// What it does, to which policy.
    title: String,
    /// The whole file.
    text: String,
}

/// Every mutation of every policy.
fn mutations() -> Vec<Mutation> {
    let mut all = Vec::new();
    for file in FILES {
        let text = fs::read_to_string(shipped().join(file)).expect("a file");
        let mut seen = BTreeSet::from([text.clone()]);
        let starts: Vec<usize> = text.match_indices("@id(").map(|(at, _)| at).collect();
        for &start in &starts {
            let end = |last: &str| text[start..].find(last).map(|at| start + at + 2);
            let end = [end("};\n"), end(");\n")].into_iter().flatten().min();
            let end = end.expect("an end");
            let policy = &text[start..end];
            let id = policy.split('"').nth(1).expect("an id");
            for (what, mutated) in mutate(policy) {
                let whole = format!("{}{mutated}{}", &text[..start], &text[end..]);
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

fn mutate(policy: &str) -> Vec<(String, String)> {
    let id_end = policy.find('\n').expect("a line");
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
    at_each("unless to when", "unless\n{", "when\n{");
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
            &format!("resource is {kind}\n"),
            "resource\n",
        );
        at_each(
            "another type of resource",
            &format!("resource is {kind}\n"),
            "resource is Organization\n",
        );
    }
    for (from, to) in [("when { ", " }"), ("unless { ", " }")] {
        if let Some(at) = policy.find(from) {
            let end = at + policy[at..].find(to).expect("an end") + to.len();
            let mutated = format!("{}{}", policy[..at].trim_end(), &policy[end..]);
            found.push((format!("drop {}", from.trim_end_matches(" { ")), mutated));
        }
    }
    if let Some(at) = policy.find("unless\n{") {
        found.push((
            "drop unless".to_owned(),
            format!("{};", policy[..at].trim_end()),
        ));
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

/// The shipped examples, ready to be asked.
struct Examples(Vec<(Request, Entities, Value)>);

impl Examples {
    fn read(snapshot: &Snapshot) -> Self {
        let schema = snapshot.schema();
        let mut all = Vec::new();
        for file in fs::read_dir(shipped().join("tests")).expect("examples") {
            let text = fs::read_to_string(file.expect("an entry").path()).expect("a file");
            let examples: Vec<Value> = serde_json::from_str(&text).expect("examples");
            for example in examples {
                let asked = &example["request"];
                let uid = |name: &str| -> EntityUid {
                    asked[name].as_str().expect("a uid").parse().expect("a uid")
                };
                let action = uid("action");
                let context = asked["context"].clone();
                let context = Context::from_json_value(context, Some((schema, &action)));
                let entities = Entities::from_json_value(example["entities"].clone(), Some(schema));
                let context = context.expect("a context");
                let request = Request::new(
                    uid("principal"),
                    action,
                    uid("resource"),
                    context,
                    Some(schema),
                );
                all.push((
                    request.expect("a request"),
                    entities.expect("entities"),
                    example,
                ));
            }
        }
        assert!(all.len() > 20, "{}", all.len());
        Self(all)
    }

    fn all_hold(&self, snapshot: &Snapshot) -> bool {
        let authorizer = Authorizer::new();
        self.0.iter().all(|(request, entities, example)| {
            let response = authorizer.is_authorized(request, snapshot.policies(), entities);
            let decision = format!("{:?}", response.decision()).to_lowercase();
            let reasons: BTreeSet<String> = response
                .diagnostics()
                .reason()
                .map(ToString::to_string)
                .collect();
            let wanted = example["reason"].as_array().into_iter().flatten();
            example["decision"] == decision.as_str()
                && wanted
                    .filter_map(Value::as_str)
                    .all(|id| reasons.contains(id))
        })
    }
}

/// Requests of every kind of caller that one set allows and the other does not.
fn newly_allowed(old: &Snapshot, new: &Snapshot) -> BTreeSet<&'static str> {
    let tenants = [Tenant::new(1), Tenant::new(2)];
    let mut found = BTreeSet::new();
    for home in &[Tenant::new(1), Tenant::deactivated(1)] {
        for &permission in Permission::ALL {
            let mut callers = vec![
                home.program(&[], &[]),
                home.program(&[], &[permission.as_str()]),
                home.program(&[], &["organizations:GetOrganization"]),
                home.person("nobody"),
            ];
            for role in ["owner", "admin", "member"] {
                callers.push(home.person(role));
                callers.push(home.program(&[role], &[]));
            }
            for (_, resource) in tenants.iter().flat_map(|t| t.resources(permission)) {
                for caller in &callers {
                    if !found.contains(permission.as_str())
                        && ask(new, caller, permission, resource).is_allowed()
                        && !ask(old, caller, permission, resource).is_allowed()
                    {
                        found.insert(permission.as_str());
                    }
                }
            }
        }
    }
    found
}

/// What became of one mutation.
struct Outcome {
    direction: Option<Direction>,
    /// All gates that refuse it.
    gates: Vec<&'static str>,
}

fn overall(diff: &Diff) -> Direction {
    let narrower = diff.permissions.values().any(|p| !p.narrower.is_empty());
    match (diff.is_wider(), narrower) {
        (true, true) => Direction::Both,
        (true, false) => Direction::Wider,
        (false, true) => Direction::Narrower,
        (false, false) => Direction::Equal,
    }
}

fn judge(mutation: &Mutation, old: &Snapshot, examples: &Examples, solver: &Solver) -> Outcome {
    let edited = Edited::new().write(mutation.file, &mutation.text);
    let Ok(new) = Snapshot::load(edited.path()) else {
        return Outcome {
            direction: None,
            gates: vec!["check"],
        };
    };
    let diff = widens(old, &new, solver, limits(), &SystemClock::start()).expect("a comparison");
    let allowed = newly_allowed(old, &new);
    for permission in &allowed {
        assert!(
            !diff.permissions[*permission].wider.is_empty(),
            "{} allows more of {permission}, and the diff does not say so",
            mutation.title
        );
    }
    for permission in diff.permissions.values() {
        for change in permission.wider.iter().chain(&permission.narrower) {
            assert!(change.example.is_some(), "{}: {change:?}", mutation.title);
        }
    }
    let mut gates = Vec::new();
    if diff.is_wider() {
        if !examples.all_hold(&new) {
            gates.push("tests");
        }
        if !proofs(&new, solver).is_proved() {
            gates.push("proofs");
        }
        gates.push("approval");
    }
    Outcome {
        direction: Some(overall(&diff)),
        gates,
    }
}

fn run(chosen: &[Mutation], solver: &Solver) {
    let old = Edited::new().load();
    let examples = Examples::read(&old);
    assert!(examples.all_hold(&old));
    let mut by_direction: BTreeMap<String, usize> = BTreeMap::new();
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut any: BTreeMap<&str, usize> = BTreeMap::new();
    for mutation in chosen {
        let outcome = judge(mutation, &old, &examples, solver);
        let direction = outcome
            .direction
            .map_or("refused when read".to_owned(), |d| d.word().to_owned());
        let is_wider = matches!(outcome.direction, Some(Direction::Wider | Direction::Both));
        assert!(!is_wider || !outcome.gates.is_empty(), "{}", mutation.title);
        println!(
            "{direction:<20} {:<24} {}",
            outcome.gates.join(", "),
            mutation.title
        );
        *by_direction.entry(direction).or_default() += 1;
        if let Some(gate) = outcome.gates.first().copied() {
            *first.entry(gate).or_default() += 1;
        }
        for gate in outcome.gates {
            *any.entry(gate).or_default() += 1;
        }
    }
    println!("{} mutations: {by_direction:?}", chosen.len());
    println!("first gate that refuses: {first:?}");
    println!("all gates that refuse: {any:?}");
}

#[test]
fn each_widening_mutation_of_a_sample_is_refused() {
    let Some(solver) = solver() else { return };
    let all = mutations();
    assert!(all.len() >= 200, "{}", all.len());
    let step = all.len() / 4;
    let sample: Vec<Mutation> = all.into_iter().step_by(step).collect();
    run(&sample, &solver);
}

#[test]
#[ignore = "minutes long"]
fn each_widening_mutation_is_refused_in_full() {
    let Some(solver) = solver() else { return };
    run(&mutations(), &solver);
}
