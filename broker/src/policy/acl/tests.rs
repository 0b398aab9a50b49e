//! The recorded decisions, and a second matcher that is naive.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::duration;
use crate::policy::PathRule;

const DECISIONS: &str = include_str!("../../../../tests/golden/policies-decisions.json");
const PARAMETERS: &str = include_str!("../../../../tests/golden/policies-parameters.json");
const BOUNDS: &str = include_str!("../../../../tests/golden/policies-wrapping-bounds.json");

fn acl(texts: &[&str]) -> Acl {
    let policies: Vec<Policy> = texts
        .iter()
        .map(|text| Policy::parse("p", text).unwrap_or_else(|error| panic!("{text}: {error}")))
        .collect();
    Acl::new(&policies, OffsetDateTime::UNIX_EPOCH)
}

/// A path as the pipeline hands it over, and what its query says.
struct Asked {
    path: String,
    operation: Operation,
    query: Map<String, Value>,
}

/// `exists`: whether a write finds something there.
fn asked(request: &str, exists: impl Fn(&str) -> bool) -> Asked {
    let (method, url) = request.split_once(' ').unwrap();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut path = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .unwrap()
        .into_owned();
    let query: Map<String, Value> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    let operation = match method {
        "GET" if query.contains_key("list") => Operation::List,
        "GET" => Operation::Read,
        "LIST" => Operation::List,
        "PUT" | "POST" if path.starts_with("cubbyhole") && !exists(&path) => Operation::Create,
        "PUT" | "POST" => Operation::Update,
        "DELETE" => Operation::Delete,
        "HEAD" => Operation::Head,
        other => panic!("{other}"),
    };
    if operation == Operation::List && !path.ends_with('/') {
        path.push('/');
    }
    Asked {
        path,
        operation,
        query,
    }
}

#[test]
fn decides_what_the_reference_decides() {
    let recorded: Value = serde_json::from_str(DECISIONS).unwrap();
    let (mut decided, mut listed) = (0, 0);
    let mut written = HashSet::new();
    let mut what = String::new();
    for row in recorded["table"].as_array().unwrap() {
        if row["what"] != what.as_str() {
            written.clear();
            what = row["what"].as_str().unwrap().to_owned();
        }
        let texts: Vec<&str> = row["policies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect();
        let acl = acl(&texts);
        if let Some(capabilities) = row["capabilities"].as_object() {
            for (path, words) in capabilities {
                assert_eq!(
                    serde_json::json!(acl.capabilities(path)),
                    *words,
                    "{what}: {path} with {texts:?}"
                );
                listed += 1;
            }
            continue;
        }
        let request = row["do"].as_str().unwrap();
        if request.split_once(' ').unwrap().1.starts_with('/')
            || row["status"] == 307
            || what.starts_with("unauthenticated")
        {
            // Outside /v1/, redirected, or open to all: no ACL is asked.
            continue;
        }
        let asked = asked(request, |path| written.contains(path));
        let data = Some(&asked.query).filter(|_| asked.operation == Operation::Read);
        let query = Query {
            path: &asked.path,
            operation: asked.operation,
            data,
            wrap_ttl: None,
        };
        let verdict = acl.decide(&query);
        assert_eq!(
            Value::Bool(verdict.allowed),
            row["allowed"],
            "{what}: {request} with {texts:?}"
        );
        if row["status"] == 204 {
            match asked.operation {
                Operation::Delete => drop(written.remove(&asked.path)),
                _ => drop(written.insert(asked.path)),
            }
        }
        decided += 1;
    }
    assert!(
        decided > 250 && listed > 150,
        "{decided} decisions, {listed} lists"
    );
}

/// Replays a scenario that writes policies and then probes them with one token.
fn replay(scenario: &str) -> usize {
    let recorded: Value = serde_json::from_str(scenario).unwrap();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let mut tokens: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut probes = 0;
    for step in recorded["steps"].as_array().unwrap() {
        let Some(request) = step["do"].as_str() else {
            continue;
        };
        if let Some(name) = request.strip_prefix("PUT sys/policies/acl/") {
            if step["status"] == 204 {
                texts.insert(
                    name.to_owned(),
                    step["body"]["policy"].as_str().unwrap().to_owned(),
                );
            }
            continue;
        }
        if let Some(saved) = step["save"]
            .as_object()
            .and_then(|saved| saved.keys().next())
            && request == "POST auth/token/create"
        {
            let names = step["body"]["policies"].as_array().unwrap();
            let names = names
                .iter()
                .map(|name| name.as_str().unwrap().to_owned())
                .collect();
            tokens.insert(saved.clone(), names);
            continue;
        }
        let Some(names) = step["as"].as_str().and_then(|token| tokens.get(token)) else {
            continue;
        };
        let header = step["headers"]["X-Vault-Wrap-TTL"].as_str();
        let Ok(wrap_ttl) = header.map(duration::parse).transpose() else {
            continue;
        };
        let texts: Vec<&str> = names
            .iter()
            .filter_map(|name| texts.get(name))
            .map(String::as_str)
            .collect();
        let acl = acl(&texts);
        let body = match (&step["body"], step["raw"].as_str()) {
            (Value::Object(body), _) => body.clone(),
            (_, Some(raw)) => crate::json::parse_body(raw.as_bytes()).unwrap(),
            _ => Map::new(),
        };
        // Every probed rule grants create and update alike.
        let asked = asked(request, |_| true);
        let data = match asked.operation {
            Operation::Update => Some(&body),
            Operation::Read => Some(&asked.query),
            _ => None,
        };
        let query = Query {
            path: &asked.path,
            operation: asked.operation,
            data,
            wrap_ttl,
        };
        if wrap_ttl.is_some_and(Span::is_negative) {
            continue;
        }
        let allowed = step["status"] != 403;
        if allowed && wrap_ttl.is_some_and(Span::is_zero) {
            // The reference lets a header of 0 pass a maximum and answers unwrapped. We refuse it.
            continue;
        }
        assert_eq!(acl.decide(&query).allowed, allowed, "{step}\n{texts:?}");
        probes += 1;
    }
    probes
}

#[test]
fn constrains_parameters_as_the_reference_does() {
    assert!(replay(PARAMETERS) > 100);
}

#[test]
fn bounds_wrapping_as_the_reference_does() {
    assert!(replay(BOUNDS) > 20);
}

#[test]
fn a_wrapping_bound_is_not_passed_by_zero() {
    let acl = acl(&["path \"a\" { capabilities = [\"read\"] max_wrapping_ttl = \"1h\" }"]);
    let check = |wrap_ttl: Option<&str>, expect: bool| {
        let wrap_ttl = wrap_ttl.map(|ttl| duration::parse(ttl).unwrap());
        let query = Query {
            path: "a",
            operation: Operation::Read,
            data: None,
            wrap_ttl,
        };
        assert_eq!(acl.decide(&query).allowed, expect, "{wrap_ttl:?}");
    };
    check(None, false);
    check(Some("0"), false);
    check(Some("500ms"), true);
    check(Some("1h"), true);
    check(Some("61m"), false);
}

#[test]
fn expired_and_templated_rules_are_left_out() {
    let text = "path \"a\" { capabilities = [\"read\"] expiration = \"2001-01-01T00:00:00Z\" }
                path \"b\" { capabilities = [\"read\"] expiration = 100 }
                path \"c/{{identity.entity.id}}\" { capabilities = [\"read\"] }
                path \"c/*\" { capabilities = [\"list\"] }";
    let policy = Policy::parse("p", text).unwrap();
    let at = |seconds| {
        Acl::new(
            [&policy],
            OffsetDateTime::from_unix_timestamp(seconds).unwrap(),
        )
    };
    assert_eq!(at(0).capabilities("b"), ["read"]);
    assert_eq!(at(100).capabilities("b"), ["deny"]);
    assert_eq!(at(0).capabilities("a"), ["read"]);
    assert_eq!(at(2_000_000_000).capabilities("a"), ["deny"]);
    assert_eq!(at(0).capabilities("c/{{identity.entity.id}}"), ["list"]);
}

/// Merging looks rules up by their patterns: looking through all of them for each took seconds here.
#[test]
fn many_rules_are_merged_in_no_time() {
    const RULES: usize = 60_000;
    let rule = |n: usize, capability| PathRule {
        pattern: Pattern::parse(&format!("a/{n}/*")).unwrap(),
        capabilities: [capability].into_iter().collect(),
        parameters: Parameters::default(),
        wrapping: WrappingBounds::default(),
        expires_at: None,
        templated: false,
    };
    let policy = |capability| Policy {
        name: "p".into(),
        rules: (0..RULES).map(|n| rule(n, capability)).collect(),
    };
    let policies = [policy(Capability::Read), policy(Capability::List)];
    let begun = std::time::Instant::now();
    let acl = Acl::new(&policies, OffsetDateTime::UNIX_EPOCH);
    let took = begun.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    assert_eq!(acl.resultant().glob_paths.len(), RULES);
    assert_eq!(acl.capabilities("a/77/x"), ["list", "read"]);
}

#[test]
fn root_is_bound_by_nothing() {
    let deny = Policy::parse("p", "path \"*\" { capabilities = [\"deny\"] }").unwrap();
    let acl = Acl::new([&deny, &Policy::root()], OffsetDateTime::UNIX_EPOCH);
    let query = Query {
        path: "x",
        operation: Operation::Head,
        data: None,
        wrap_ttl: None,
    };
    assert_eq!(
        acl.decide(&query),
        Verdict {
            allowed: true,
            root: true,
            sudo: true
        }
    );
    assert_eq!(acl.capabilities("x"), ["root"]);
    assert!(acl.has_access_below("x/") && acl.resultant().root);
}

#[test]
fn access_below_a_mount() {
    let check = |text: &str, mount: &str, expect: bool| {
        assert_eq!(
            acl(&[text]).has_access_below(mount),
            expect,
            "{text} below {mount}"
        );
    };
    let read = |path: &str| format!("path {path:?} {{ capabilities = [\"read\"] }}\n");
    let deny = |path: &str| format!("path {path:?} {{ capabilities = [\"deny\"] }}\n");
    check(&read("db/creds/ro"), "db/", true);
    check(&read("db/creds/ro"), "d/", false);
    check(&read("db/creds/ro"), "db/creds/", true);
    check(&read("db/*"), "db/", true);
    check(&read("db*"), "db/", true);
    check(&read("*"), "db/", true);
    check(&read("db/creds/*"), "db/", true);
    check(&read("dbx/*"), "db/", false);
    check(&read("+/creds/ro"), "db/", true);
    check(&read("+/creds/ro"), "a/b/", false);
    check(&read("+/b*"), "a/b/", true);
    check(&read("+/b*"), "a/c/", false);
    check(&read("+"), "db/", true);
    check(&deny("db/creds/ro"), "db/", false);
    check("path \"db/creds/ro\" { }", "db/", false);
    check(&(read("*") + &deny("db/*")), "db/", false);
    check(&(read("*") + &deny("db/*") + &read("db/a")), "db/", true);
}

#[test]
fn the_resultant_acl_shows_what_was_merged() {
    let text = "path \"a\" { capabilities = [\"read\"] } path \"a\" { capabilities = [\"list\"] }
                path \"b/*\" { capabilities = [\"deny\"] } path \"c/+/d*\" { capabilities = [\"sudo\", \"read\"] }";
    let resultant = acl(&[text]).resultant();
    assert_eq!(
        resultant.exact_paths,
        [("a".to_owned(), vec!["list", "read"])].into()
    );
    let glob = [
        ("b/".to_owned(), vec!["deny"]),
        ("c/+/d".to_owned(), vec!["read", "sudo"]),
    ];
    assert_eq!(resultant.glob_paths, glob.into());
}

// === a second, naive matcher ===

/// Whether a pattern matches, by trying every way to cut the path.
fn naive_match(pattern: &[char], path: &[char], at_segment_start: bool) -> bool {
    match pattern {
        [] => path.is_empty(),
        ['*'] => true,
        ['+'] if at_segment_start => !path.contains(&'/'),
        ['+', '/', rest @ ..] if at_segment_start => {
            let end = path.iter().position(|c| *c == '/');
            end.is_some_and(|end| naive_match(rest, &path[end + 1..], true))
        }
        [first, rest @ ..] => {
            path.first() == Some(first) && naive_match(rest, &path[1..], *first == '/')
        }
    }
}

/// Contract 4.4, word by word.
fn naive_choice<'r>(
    rules: &'r [(String, Capabilities)],
    path: &str,
    is_list: bool,
) -> Option<&'r str> {
    let chars = |text: &str| text.chars().collect::<Vec<char>>();
    let is_wild = |text: &str| text.ends_with('*') || text.split('/').any(|segment| segment == "+");
    let forms: Vec<&str> = match path.strip_suffix('/').filter(|_| is_list) {
        Some(without) => vec![path, without],
        None => vec![path],
    };
    for form in &forms {
        if let Some((text, _)) = rules
            .iter()
            .find(|(text, _)| !is_wild(text) && text == form)
        {
            return Some(text);
        }
    }
    let better = |a: &str, b: &str| {
        let first_wildcard = |text: &str| {
            (0..text.len())
                .find(|at| {
                    let alone = text[*at..].starts_with('+')
                        && (*at == 0 || text[..*at].ends_with('/'))
                        && (text[at + 1..].is_empty() || text[at + 1..].starts_with(['/', '*']));
                    alone || text[*at..] == *"*"
                })
                .unwrap_or(text.len())
        };
        let pluses = |text: &str| {
            text.trim_end_matches('*')
                .split('/')
                .filter(|segment| *segment == "+")
                .count()
        };
        let stem = |text: &str| text.strip_suffix('*').unwrap_or(text).to_owned();
        if first_wildcard(a) != first_wildcard(b) {
            return first_wildcard(a) > first_wildcard(b);
        }
        if a.ends_with('*') != b.ends_with('*') {
            return !a.ends_with('*');
        }
        if pluses(a) != pluses(b) {
            return pluses(a) < pluses(b);
        }
        if stem(a).len() != stem(b).len() {
            return stem(a).len() > stem(b).len();
        }
        stem(a) > stem(b)
    };
    for form in &forms {
        let mut best: Option<&str> = None;
        for (text, _) in rules {
            if is_wild(text)
                && naive_match(&chars(text), &chars(form), true)
                && best.is_none_or(|other| better(text, other))
            {
                best = Some(text);
            }
        }
        if best.is_some() {
            return best;
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Few letters, short paths: patterns and paths meet often.
    #[test]
    fn agrees_with_the_naive_matcher(
        rules in prop::collection::vec(("(([ab]{1,2}|\\+|[ab]\\+|)/){0,3}([ab]{0,2}|\\+)?", any::<bool>(), 0_usize..8), 1..6),
        path in "(([ab+]{1,2})/){0,3}[ab]{0,2}",
        is_list in any::<bool>(),
    ) {
        let words = ["create", "update", "read", "list", "delete", "patch", "sudo", "deny"];
        let mut merged: Vec<(String, Capabilities)> = Vec::new();
        let mut text = String::new();
        for (stem, star, word) in rules {
            let pattern = if star && !stem.ends_with('+') { format!("{stem}*") } else { stem };
            let pattern = pattern.strip_prefix('/').unwrap_or(&pattern).to_owned();
            if pattern.starts_with('/') {
                continue;
            }
            text.push_str(&format!("path {pattern:?} {{ capabilities = [{:?}] }}\n", words[word]));
            let capability = Capability::from_word(words[word]).unwrap();
            match merged.iter_mut().find(|(other, _)| *other == pattern) {
                Some((_, set)) => set.insert(capability),
                None => merged.push((pattern, [capability].into_iter().collect())),
            }
        }
        let acl = acl(&[&text]);
        let path = if is_list && !path.ends_with('/') { path + "/" } else { path };
        let expect = naive_choice(&merged, &path, is_list)
            .map(|text| merged.iter().find(|(other, _)| other == text).unwrap().1);
        let chosen = acl.choose(&path, is_list).map(|grant| grant.capabilities);
        prop_assert_eq!(chosen, expect, "{} on {}", text, path);
    }

    /// Deny wins: adding a policy that denies a rule's pattern never leaves anything granted by it.
    #[test]
    fn deny_absorbs(words in prop::collection::vec(prop::sample::select(vec!["create", "read", "sudo", "deny"]), 0..5)) {
        let set: Capabilities = words.iter().filter_map(|word| Capability::from_word(word)).collect();
        prop_assert_eq!(words.contains(&"deny"), set.has(Capability::Deny));
        prop_assert!(!(set.has(Capability::Deny) && set.grant_any()));
    }
}
