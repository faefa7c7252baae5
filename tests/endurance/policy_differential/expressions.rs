//! Random conditions: deep ones, wide ones, entities that are written out, and every extension
//! function. None of them fails on a request that can come.

use rand::RngExt;
use rand::rngs::StdRng;

use super::pick;

/// All that Cedar's extensions add to the language.
pub(crate) const EXTENSIONS: [&str; 22] = [
    "decimal(",
    ".lessThan(",
    ".lessThanOrEqual(",
    ".greaterThan(",
    ".greaterThanOrEqual(",
    "ip(",
    ".isIpv4()",
    ".isIpv6()",
    ".isLoopback()",
    ".isMulticast()",
    ".isInRange(",
    "datetime(",
    ".offset(",
    ".durationSince(",
    ".toDate()",
    ".toTime()",
    "duration(",
    ".toMilliseconds()",
    ".toSeconds()",
    ".toMinutes()",
    ".toHours()",
    ".toDays()",
];

/// What is true or false by itself.
const FACTS: &[&str] = &[
    "principal.is_active",
    "principal.organization.is_active",
    "principal is User && principal.email_verified",
    "principal is ServiceAccount && principal.account.is_default",
    "resource has is_active && resource.is_active",
    "resource has organization && resource.organization == principal.organization",
    "resource has service_account && resource.service_account.is_active",
    "action in Action::\"reads\"",
    "action == Action::\"accounts:GetAccount\"",
    "context.authentication == AuthenticationMethod::\"bearer-token\"",
    "context.source_ip.isIpv4()",
    "context.source_ip.isIpv6()",
    "context.source_ip.isLoopback()",
    "context.source_ip.isMulticast()",
    "context.source_ip == ip(\"192.0.2.7\")",
    "context.source_ip.isInRange(ip(\"192.0.2.0/24\"))",
    "context.source_ip.isInRange(ip(\"2001:db8::/32\"))",
    "principal.organization.plan_tier like \"f*e\"",
    "principal.organization.plan_tier like \"*\\*\\u{e9}*\"",
    "principal.organization.plan_tier == \"free\"",
    // Entities that are written out.
    "principal == User::\"user-00000000000000000000009999\"",
    "principal == ServiceAccount::\"sa-00000000000000000000009999\"",
    "resource == Account::\"acc-00000000000000000000000001\"",
    "principal.organization == Organization::\"org-00000000000000000000000001\"",
    "resource in Organization::\"org-00000000000000000000000002\"",
    "principal in Account::\"acc-00000000000000000000000001\"",
    "principal in [Role::\"owner\", Role::\"member\"]",
    "principal is User in Role::\"admin\"",
    "resource is AccessKey in ServiceAccount::\"sa-00000000000000000000000010\"",
    "resource == Role::\"owner\"",
    "principal in Permission::\"accounts:GetAccount\"",
];

const TIMES: &[&str] = &[
    "context.now",
    "context.now.toDate()",
    "context.now.offset(duration(\"-36h\"))",
    "context.now.toDate().offset(duration(\"1d2h3m4s5ms\"))",
    "datetime(\"2025-09-30\")",
    "datetime(\"2025-09-30T12:00:00Z\")",
    "datetime(\"2025-09-30T14:00:00.000+0200\")",
];

const DURATIONS: &[&str] = &[
    "context.now.toTime()",
    "context.now.durationSince(datetime(\"2025-09-29T07:00:00Z\"))",
    "duration(\"12h\")",
    "duration(\"-1d2h3m4s5ms\")",
];

const DECIMALS: &[&str] = &[
    "decimal(\"0.0001\")",
    "decimal(\"-1.5\")",
    "decimal(\"1.50\")",
];

/// A condition of a few levels, or one as deep or as wide as is taken, or more.
pub(crate) fn condition(rng: &mut StdRng) -> String {
    match rng.random_range(0..80) {
        // Refused: nobody would fill it.
        0 => "User::\"user-00000000000000000000009999\".is_active".to_owned(),
        // One level for each operand. Beyond 200 it is refused.
        1..10 => {
            let operator = *pick(rng, &["&&", "||"]);
            let operands = rng.random_range(100..205);
            let short = [
                "principal.is_active",
                "principal is User",
                "action in Action::\"reads\"",
            ];
            let mut chain: Vec<&str> = (0..operands).map(|_| *pick(rng, &short)).collect();
            chain.push("context.source_ip.isIpv4()");
            chain.join(&format!(" {operator} "))
        }
        10..20 => nested(rng),
        20..30 => wide(rng),
        _ => {
            let levels = rng.random_range(0..5);
            truth(rng, levels)
        }
    }
}

/// As many brackets, or branches, as are read.
fn nested(rng: &mut StdRng) -> String {
    let levels = rng.random_range(30..64);
    let mut inner = truth(rng, 0);
    for level in 0..levels {
        let fact = *pick(rng, &["principal.is_active", "context.source_ip.isIpv4()"]);
        inner = match rng.random_range(0..4) {
            _ if level >= 60 => inner,
            0 => format!("!({inner})"),
            1 => format!("({fact} && {inner})"),
            2 => format!("({inner} || {fact})"),
            _ => format!("({inner}) == {fact}"),
        };
    }
    if rng.random_bool(0.5) {
        return inner;
    }
    let branches: Vec<String> = (0..levels / 6)
        .map(|number| {
            format!(
                "if principal.is_active && {number} == {} then {} else ",
                number + 1,
                number % 2 == 0
            )
        })
        .collect();
    format!("{}{}", branches.concat(), truth(rng, 0))
}

/// Lists of a hundred elements.
fn wide(rng: &mut StdRng) -> String {
    let count = rng.random_range(50..150);
    let numbered = |text: &dyn Fn(usize) -> String| -> String {
        (0..count).map(text).collect::<Vec<_>>().join(", ")
    };
    match rng.random_range(0..4) {
        0 => {
            let list = numbered(&|n| format!("Organization::\"org-{:026}\"", n + 1));
            format!("[{list}].contains(principal.organization)")
        }
        1 => {
            let list = numbered(&|n| format!("ServiceAccount::\"sa-{:026}\"", 10 * n));
            format!("resource in [{list}]")
        }
        2 => {
            let list = numbered(&|n| n.to_string());
            format!("[{list}].contains({})", number(rng, 1))
        }
        _ => {
            let fields = numbered(&|n| format!("f{n}: {n}"));
            format!("{{{fields}, last: principal.is_active}}.last")
        }
    }
}

fn truth(rng: &mut StdRng, levels: usize) -> String {
    if levels == 0 {
        return format!("({})", pick(rng, FACTS));
    }
    let (left, right) = (truth(rng, levels - 1), truth(rng, levels - 1));
    match rng.random_range(0..12) {
        0 | 1 => format!("({left} && {right})"),
        2 | 3 => format!("({left} || {right})"),
        4 => format!("!{left}"),
        5 => format!("(if {left} then {right} else {})", truth(rng, levels - 1)),
        6 => format!("({left} == {right})"),
        7 => {
            let operator = *pick(rng, &["<", "<=", ">", ">=", "==", "!="]);
            let (left, right) = (number(rng, levels), number(rng, levels));
            format!("({left} {operator} {right})")
        }
        8 => {
            let operator = *pick(rng, &["<", "<=", ">", ">=", "==", "!="]);
            let of = if rng.random_bool(0.5) {
                TIMES
            } else {
                DURATIONS
            };
            format!("({} {operator} {})", pick(rng, of), pick(rng, of))
        }
        9 => {
            let operator = *pick(
                rng,
                &[
                    "lessThan",
                    "lessThanOrEqual",
                    "greaterThan",
                    "greaterThanOrEqual",
                ],
            );
            let (decimal, other) = (pick(rng, DECIMALS), pick(rng, DECIMALS));
            format!(
                "(if {left} then {decimal} else {other}).{operator}({})",
                pick(rng, DECIMALS)
            )
        }
        10 => {
            let operator = *pick(rng, &["containsAll", "containsAny"]);
            let (some, others) = (number(rng, 1), number(rng, 1));
            format!("[{some}, 7, {others}].{operator}([{}, 7])", number(rng, 1))
        }
        _ => format!(
            "({{a: {left}, b: {}}} == {{a: {right}, b: 12}})",
            number(rng, 1)
        ),
    }
}

/// Never so large that it could overflow.
fn number(rng: &mut StdRng, levels: usize) -> String {
    if levels == 0 || rng.random_bool(0.3) {
        let unit = *pick(
            rng,
            &[
                "toMilliseconds",
                "toSeconds",
                "toMinutes",
                "toHours",
                "toDays",
            ],
        );
        return match rng.random_range(0..3) {
            0 => rng.random_range(-20..20).to_string(),
            _ => format!("{}.{unit}()", pick(rng, DURATIONS)),
        };
    }
    let operator = *pick(rng, &["+", "-"]);
    match rng.random_range(0..4) {
        0 => format!("({} * {})", number(rng, levels - 1), rng.random_range(0..9)),
        1 => format!("-({})", number(rng, levels - 1)),
        2 => format!(
            "(if {} then {} else {})",
            truth(rng, 0),
            number(rng, levels - 1),
            number(rng, levels - 1)
        ),
        _ => format!(
            "({} {operator} {})",
            number(rng, levels - 1),
            number(rng, levels - 1)
        ),
    }
}
