use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

const RECORDED: &str = include_str!("../../../tests/golden/db-username-template.json");
const NAMES: Names<'_> = Names {
    display_name: "token-Long-Display-Name",
    role_name: "app-Role.1",
};

/// What of a username is not the same twice, and how long it is.
fn shape(text: &str) -> Vec<usize> {
    text.split(['-', '_']).map(str::len).collect()
}

fn rendered(text: &str, names: &Names<'_>) -> Result<String, TemplateError> {
    let now = OffsetDateTime::from_unix_timestamp_nanos(1_795_410_142_469_000_000).unwrap();
    Template::parse(text)?.render(names, now, &mut StdRng::seed_from_u64(1))
}

#[test]
fn renders_what_the_reference_renders() {
    let recorded: Json = serde_json::from_str(RECORDED).unwrap();
    let root = Names {
        display_name: "root",
        ..NAMES
    };
    let mut template = String::new();
    let (mut refused, mut made) = (0, 0);
    for step in recorded["steps"].as_array().unwrap() {
        if let Some(text) = step["body"]["username_template"].as_str() {
            template = text.to_owned();
            let accepted = step["status"] == 204;
            let read = Template::parse(text);
            assert_eq!(read.is_ok(), accepted, "{text:?}: {read:?}");
            refused += usize::from(!accepted);
        }
        let Some(username) = step["answer"]["data"]["username"].as_str() else {
            continue;
        };
        let is_root = step["as"] == "root";
        let ours = rendered(&template, if is_root { &root } else { &NAMES }).unwrap();
        let username = username
            .replace("<20>", "Y2xQoB86vy7aQ9xwCyYL")
            .replace("<unix>", "1795410142")
            .replace("<time>", "2026-11-23T05:02:22Z")
            .replace("<uuid>", "5a63ca54-1741-4a63-8a54-17415a63ca54");
        match template.contains("random") || template.contains("uuid") || template.is_empty() {
            true => assert_eq!(shape(&ours), shape(&username), "{template}: {ours}"),
            // Recorded at another moment of the same day.
            false if template.contains("unix_time") => {
                assert_eq!(ours.len(), username.len(), "{template}")
            }
            false => assert_eq!(ours, username, "{template}"),
        }
        made += 1;
    }
    assert!(refused > 20 && made > 50, "{refused} refused, {made} made");
}

#[test]
fn go_beyond_the_subset_is_refused_or_right() {
    let check = |text: &str, expect: Option<&str>| {
        let ours = rendered(text, &NAMES);
        assert_eq!(ours.as_deref().ok(), expect, "{text}: {ours:?}");
    };
    check("{{/* comment */}}a", Some("a"));
    check("{{- /* comment */ -}} a", Some("a"));
    check("x  {{- \" a \" -}}  b", Some("x a b"));
    check("{{ \"\\u00e4\\t\" }}", Some("ä\t"));
    check("{{ printf \"%v\" .RoleName }}", Some("app-Role.1"));
    check("{{ random 0 }}", Some(""));
    check(
        "{{ glob \"*1\" .RoleName }}{{ glob \"a*R*1\" .RoleName }}{{ glob \"b*\" .RoleName }}",
        Some("truetruefalse"),
    );
    for refused in [
        "{{ printf \"%s\" }}",
        "{{ printf \"a\" \"b\" }}",
        "{{ printf \"%d\" \"b\" }}",
        "{{ printf \"%05d\" 4 }}",
        "{{ if .RoleName }}a{{ end }}",
        "{{ range .RoleName }}{{ end }}",
        "{{ $x := 1 }}",
        "{{ len .RoleName }}",
        "{{ . }}",
        "{{ nil }}",
        "{{ true }}",
        "{{ 'a' }}",
        "{{ 1.5 }}",
        "{{ end }}",
        "{{ random -1 }}",
        "{{ random 100000 }}",
        "{{ truncate 5 \"a\" \"b\" }}",
        "{{ .RoleName | .DisplayName }}",
        "{{ (.RoleName }}",
        "{{ .RoleName) }}",
        "{{ | uppercase }}",
        "{{ \"a\"\"b\" }}",
        "{{/* open }}",
        "{{ \"ff\" | decode_hex }}",
        "{{ .RoleName | replace \"\" \"x\" | nope }}",
    ] {
        check(refused, None);
    }
}

#[test]
fn lengths_are_bytes_and_characters_stay_whole() {
    let check = |text: &str, expect: &str| assert_eq!(rendered(text, &NAMES).unwrap(), expect);
    check("{{ \"äöü\" | truncate 3 }}", "ä");
    check("{{ \"äöü\" | truncate 4 }}", "äö");
    let long = "{{ \"äöüäöüäöü\" | truncate_sha256 11 }}";
    assert_eq!(rendered(long, &NAMES).unwrap().chars().next(), Some('ä'));
}

#[test]
fn nothing_grows_without_end() {
    let bomb = format!(
        "{{{{ \"x\"{} }}}}",
        " | replace \"\" \"xxxxxxxx\"".repeat(40)
    );
    assert!(matches!(
        Template::parse(&bomb),
        Err(TemplateError::Apply(_))
    ));
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(1000), ")".repeat(1000));
    assert!(matches!(
        Template::parse(&deep),
        Err(TemplateError::Parse(_))
    ));
    assert!(Template::parse(&"x".repeat(TEMPLATE_BYTES_MAX + 1)).is_err());
}

#[test]
fn the_default_fits_a_name_of_postgresql() {
    let names = Names {
        display_name: &"d".repeat(100),
        role_name: &"r".repeat(100),
    };
    let username = rendered("", &names).unwrap();
    assert!(
        username.starts_with("v-dddddddd-rrrrrrrr-") && username.len() <= 63,
        "{username}"
    );
    assert_eq!(Template::default(), Template::parse("").unwrap());
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,40}|[{}|() \"`.%a-zR0-9-]{0,40}", display_name in "\\PC{0,12}", role_name in "\\PC{0,12}") {
        let names = Names { display_name: &display_name, role_name: &role_name };
        let _ = rendered(&text, &names);
        let _ = rendered(&format!("{{{{ {text} }}}}"), &names);
    }

    /// What is accepted once renders for all names, but for the few functions that depend on them.
    #[test]
    fn names_do_not_break_a_template(display_name in "\\PC{0,40}", role_name in "\\PC{0,40}") {
        let names = Names { display_name: &display_name, role_name: &role_name };
        for text in ["", "{{.RoleName | truncate_sha256 9}}", "{{.DisplayName | uppercase | truncate 5}}_{{random 6}}"] {
            prop_assert!(rendered(text, &names).is_ok());
        }
    }

    #[test]
    fn different_generators_differ(seeds in prop::collection::btree_set(any::<u64>(), 2..8)) {
        let template = Template::default();
        let made: BTreeMap<String, u64> = seeds
            .iter()
            .map(|seed| {
                let mut rng = StdRng::seed_from_u64(*seed);
                (template.render(&NAMES, OffsetDateTime::UNIX_EPOCH, &mut rng).unwrap(), *seed)
            })
            .collect();
        prop_assert_eq!(made.len(), seeds.len());
    }
}
