use super::lexer::{Kind, stretches};
use super::{PlaceError, Placeholder, Values, render};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

const VERIFIER: &str = "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5";

fn values(name: &str) -> Values<'_> {
    Values {
        name,
        verifier: Some(VERIFIER),
        expiration: Some("2026-11-23 06:14:09+0000"),
    }
}

fn check(name: &str, input: &str, expect: Result<&str, PlaceError>) {
    assert_eq!(
        render(input, &values(name)),
        expect.map(str::to_owned),
        "{input}"
    );
}

#[test]
fn a_value_is_written_as_its_place_demands() {
    check(
        "v-a",
        r#"CREATE ROLE "{{name}}""#,
        Ok(r#"CREATE ROLE "v-a""#),
    );
    check(
        "v-a",
        r#"CREATE ROLE "{{name}}-child""#,
        Ok(r#"CREATE ROLE "v-a-child""#),
    );
    check(
        "v-a",
        "CREATE ROLE {{name}} LOGIN",
        Ok(r#"CREATE ROLE  "v-a"  LOGIN"#),
    );
    check(
        "v-a",
        "VALID UNTIL {{expiration}}",
        Ok("VALID UNTIL  '2026-11-23 06:14:09+0000' "),
    );
    check(
        "a\"b",
        r#"CREATE ROLE "{{username}}""#,
        Ok(r#"CREATE ROLE "a""b""#),
    );
    check("a'b", "SELECT '{{name}}{{name}}'", Ok("SELECT 'a''ba''b'"));
    check("a'b\\", "SELECT '{{name}}'", Ok("SELECT 'a''b\\'"));
    check("a'b\\", "SELECT E'{{name}}'", Ok("SELECT E'a''b\\\\'"));
    check(
        "a.b",
        "SELECT e'\n' \n '{{name}}'",
        Ok("SELECT e'\n' \n 'a.b'"),
    );
    check("v", r"SELECT E'\{{name}}'", Ok(r"SELECT E'\{{name}}'"));
    check("v", r"SELECT E'\\{{name}}'", Ok(r"SELECT E'\\v'"));
    check("v", r"SELECT E'é\é{{name}}'", Ok(r"SELECT E'é\év'"));
    check("v", "SELECT N'{{name}}'", Ok("SELECT N'v'"));
    check("v", "SELECT fooE'\\{{name}}'", Ok("SELECT fooE'\\v'"));
    check("v", "SELECT 1E'\\{{name}}'", Ok("SELECT 1E'\\{{name}}'"));
    check(
        "v",
        "SELECT 1e5E'\\{{name}}'",
        Ok("SELECT 1e5E'\\{{name}}'"),
    );
    check(
        "v",
        "E{{password}}",
        Ok("E '".to_owned() + VERIFIER + "' ")
            .as_deref()
            .map_err(|_: &PlaceError| unreachable!()),
    );
}

#[test]
fn what_is_no_placeholder_of_ours_stays() {
    for text in [
        "SELECT '{{ name }}'",
        "SELECT '{{Name}}', '{name}', '{{role}}', '{{unknown}}', '{{dbname}}', '{{{', '{{'",
        "SELECT 1 -- {{name}}",
        "SELECT 1 -- {{name}}\n, 2 /* {{name}} /* {{password}} */ {{name}} */",
        "SELECT 'a' -- {{name}}\n 'b'",
    ] {
        check("v'\"", text, Ok(text));
    }
    check("v", "SELECT '{{{name}}}'", Ok("SELECT '{v}'"));
    let bare = Values {
        name: "v",
        verifier: None,
        expiration: None,
    };
    let text = "SELECT '{{password}}', '{{expiration}}', '{{name}}'";
    assert_eq!(
        render(text, &bare).unwrap(),
        "SELECT '{{password}}', '{{expiration}}', 'v'"
    );
}

#[test]
fn quotes_that_cannot_hold_a_value_are_refused() {
    use PlaceError::{BitString, ControlCharacter, UnicodeQuotes};
    check(
        "v",
        r#"CREATE ROLE U&"{{name}}""#,
        Err(UnicodeQuotes(Placeholder::Name)),
    );
    check(
        "v",
        "SELECT u&'{{password}}'",
        Err(UnicodeQuotes(Placeholder::Password)),
    );
    check("v", "SELECT X'{{name}}'", Err(BitString(Placeholder::Name)));
    check(
        "a\nb",
        "SELECT '{{username}}'",
        Err(ControlCharacter(Placeholder::Username)),
    );
    check(
        "a\u{0}b",
        "SELECT {{name}}",
        Err(ControlCharacter(Placeholder::Name)),
    );
    check("a\nb", "SELECT 1 -- {{name}}", Ok("SELECT 1 -- {{name}}"));
}

/// Whoever may choose a login's name must not be able to write code with it: a literal may be one that somebody runs.
#[test]
fn a_name_is_no_code_inside_a_longer_text() {
    let refused = Err(PlaceError::UnsafeInText(Placeholder::Name));
    for text in [
        "DO $$BEGIN EXECUTE 'CREATE ROLE {{name}} LOGIN'; END$$",
        "DO $$BEGIN EXECUTE 'CREATE ROLE ' || '{{name}}'; END$$",
        "DO 'BEGIN EXECUTE ''CREATE ROLE \"{{name}}\"''; END'",
        "SELECT dblink_exec('drop role {{name}}')",
        "DO 'BEGIN CREATE ROLE ' \n '{{name}}' \n '; END'",
        "DO '{{name}}' \n ' '",
        "DO E'{{name}} '",
        "SELECT dblink_exec('comment on role x is ' || '\''{{name}}\'')",
    ] {
        for name in ["x;alter role broker superuser", "x--", "a b", "a(b)", "a/*"] {
            check(name, text, refused);
        }
        for name in ["v-töken.a@b", "v-token-reports--xyz-1"] {
            assert!(render(text, &values(name)).is_ok(), "{text}");
        }
    }
    check(
        "x;y",
        "COMMENT ON ROLE x IS '{{name}}'",
        Ok("COMMENT ON ROLE x IS 'x;y'"),
    );
}

#[test]
fn dollar_quotes_take_only_what_needs_no_quoting() {
    use PlaceError::{BareInDollarQuotes, UnsafeInDollarQuotes};
    let name = Placeholder::Name;
    check(
        "v-a",
        r#"DO $$ BEGIN CREATE ROLE "{{name}}"; END $$"#,
        Ok(r#"DO $$ BEGIN CREATE ROLE "v-a"; END $$"#),
    );
    check(
        "v.a",
        "DO $x$ PERFORM '{{name}}' $x$",
        Ok("DO $x$ PERFORM 'v.a' $x$"),
    );
    check(
        "v_a1",
        "DO $$ CREATE ROLE {{name}}; $$",
        Ok("DO $$ CREATE ROLE v_a1; $$"),
    );
    check(
        "v-a",
        "DO $$ CREATE ROLE {{name}}; $$",
        Err(BareInDollarQuotes(name)),
    );
    check(
        "v superuser",
        "DO $$ CREATE ROLE {{name}}; $$",
        Err(BareInDollarQuotes(name)),
    );
    check(
        "v",
        "DO $$ VALID UNTIL {{expiration}}; $$",
        Err(BareInDollarQuotes(Placeholder::Expiration)),
    );
    check(
        "v-a",
        "DO $$ -- {{name}}\n $$",
        Ok("DO $$ -- {{name}}\n $$"),
    );
    for bad in ["a'b", "a\"b", "a\\b", "a$$b"] {
        check(
            bad,
            "DO $$ PERFORM '{{name}}' $$",
            Err(UnsafeInDollarQuotes(name)),
        );
    }
    check(
        "a$b",
        "DO $$ PERFORM '{{name}}' $$",
        Err(PlaceError::UnsafeInText(name)),
    );
    check(
        "a$b",
        r#"DO $$ PERFORM "{{name}}" $$"#,
        Ok(r#"DO $$ PERFORM "a$b" $$"#),
    );
    check(
        "a$",
        r#"DO $$ PERFORM "{{name}}$" $$"#,
        Err(UnsafeInDollarQuotes(name)),
    );
    check(
        "a$q$b",
        r#"DO $q$ PERFORM "{{name}}" $q$"#,
        Err(UnsafeInDollarQuotes(name)),
    );
    check(
        "a$q",
        r#"DO $q$ PERFORM "{{name}}$ $q$"#,
        Err(UnsafeInDollarQuotes(name)),
    );
    check(
        "v",
        "DO $$ EXECUTE $q$ SELECT '{{name}}' $q$ $$",
        Ok("DO $$ EXECUTE $q$ SELECT 'v' $q$ $$"),
    );
    check(
        "a$q$",
        r#"DO $$ EXECUTE $q$ SELECT "{{name}}" $q$ $$"#,
        Err(UnsafeInDollarQuotes(name)),
    );
    check(
        "v",
        "SELECT $1, a$$b, '{{name}}'",
        Ok("SELECT $1, a$$b, 'v'"),
    );
    check("v", "SELECT $1$$ '{{name}}' $$", Ok("SELECT $1$$ 'v' $$"));
}

#[test]
fn a_name_that_injects_stays_a_name() {
    let name = r#"x" SUPERUSER; DROP ROLE postgres; --"#;
    check(
        name,
        r#"CREATE ROLE "{{name}}""#,
        Ok(r#"CREATE ROLE "x"" SUPERUSER; DROP ROLE postgres; --""#),
    );
    check(
        "'; DROP ROLE postgres; --",
        "SELECT '{{name}}'",
        Ok("SELECT '''; DROP ROLE postgres; --'"),
    );
}

fn kinds(text: &str) -> Vec<Kind<'_>> {
    stretches(text)
        .into_iter()
        .map(|stretch| stretch.kind)
        .collect()
}

#[test]
fn stretches_are_those_of_the_server() {
    use Kind::{Bare, Bits, Comment, Dollar, Escape, Identifier, Literal, Unicode};
    assert_eq!(kinds("a 'b;c' \"d\""), [Bare, Literal, Bare, Identifier]);
    assert_eq!(kinds("'a''b'"), [Literal]);
    assert_eq!(kinds("'a\\' 'b'"), [Literal, Bare, Literal]);
    assert_eq!(kinds(r"E'a\' b'"), [Escape]);
    assert_eq!(kinds("'a'\n'b'"), [Literal, Comment, Literal]);
    assert_eq!(kinds("'a' 'b'"), [Literal, Bare, Literal]);
    assert_eq!(
        kinds("b'01'x'ff'U&'a'u&\"b\""),
        [Bits, Bits, Unicode, Unicode]
    );
    assert_eq!(kinds("+--x'\n'y'"), [Bare, Comment, Bare, Literal]);
    assert_eq!(kinds("*/*'*/'y'"), [Bare, Comment, Literal]);
    assert_eq!(kinds("$$a$$"), [Bare, Dollar("$$"), Bare]);
    assert_eq!(kinds("$é1$a$$ $é1$"), [Bare, Dollar("$é1$"), Bare]);
    assert_eq!(kinds("$1a$ b $1a$"), [Bare]);
    assert_eq!(kinds("$$ open"), [Bare, Dollar("$$")]);
    assert_eq!(kinds("/* open"), [Comment]);
    assert_eq!(kinds("E'\\"), [Escape]);
}

proptest! {
    #[test]
    fn joined_again_it_is_the_text(text in r#"[ -~é\n]{0,40}|([$'"\\/*E&U;{}a-]|--|\n|\$\$|\{\{name\}\}){0,24}"#) {
        let joined: String = stretches(&text).iter().map(|stretch| stretch.text).collect();
        prop_assert_eq!(&joined, &text);
        let unknown = Values { name: "v", verifier: None, expiration: None };
        if !text.contains("{{name}}") {
            prop_assert_eq!(render(&text, &unknown), Ok(text));
        }
    }

    /// Whatever the name, the stretches outside it stay what they were.
    #[test]
    fn no_name_changes_the_text_around_it(
        name in r#"[ -~]{1,12}"#,
        text in r#"([$'"\\/*E&U;a-]|--|\n|\$\$|\{\{name\}\}){0,24}"#,
    ) {
        let (plain, nasty) = (render(&text, &values("v")), render(&text, &values(&name)));
        if let (Ok(plain), Ok(nasty)) = (plain, nasty) {
            prop_assert!(
                kinds(&plain) == kinds(&nasty),
                "{:?} by {:?}: {:?} and {:?}", text, name, plain, nasty
            );
        }
    }
}
