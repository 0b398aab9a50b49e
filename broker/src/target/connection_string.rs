//! Connection strings as operators write them: a URL or libpq's `key=value` form, with `{{username}}` and `{{password}}`
//! in them (contract 7.2). Pure: text in, parts out; nothing here connects.
//!
//! Placeholders are put in after the text has been taken apart, so that no value needs escaping in either form.
//! With `disable_escaping` they are pasted before, as the operator asked, and must be escaped by hand.

use percent_encoding::percent_decode_str;

use crate::secret::Password;

/// Where and as whom to connect.
#[derive(Clone, Debug)]
pub struct ConnectionString {
    /// Host name, address, or the folder of a socket (begins with `/`).
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Login.
    pub user: String,
    /// Its password, if there is one.
    pub password: Option<Password>,
    /// Database; the login's name when absent, as everywhere in PostgreSQL.
    pub database: Option<String>,
    /// Everything else, in order: `sslmode`, `application_name`, settings.
    pub parameters: Vec<(String, String)>,
}

/// What goes into the placeholders.
pub struct Credentials<'a> {
    /// For `{{username}}`.
    pub username: &'a str,
    /// For `{{password}}`.
    pub password: &'a Password,
    /// Paste verbatim, before parsing.
    pub disable_escaping: bool,
}

/// Why a text is no connection string. Never quotes the text: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot parse connection url: {0}")]
pub struct ConnectionStringError(String);

fn refuse<T>(why: impl Into<String>) -> Result<T, ConnectionStringError> {
    Err(ConnectionStringError(why.into()))
}

/// What the text is, before it is known whether it makes sense.
enum Form<'a> {
    /// What follows the scheme.
    Url(&'a str),
    Dsn(Vec<DsnPair>),
    /// Looks like one of them and is not: another scheme, keys that are no words. Where its secrets are is not known.
    Foreign,
    /// Nothing like it.
    Neither,
}

fn form(text: &str) -> Form<'_> {
    if let Some(rest) = after_scheme(text) {
        return Form::Url(rest);
    }
    match dsn_pairs(text) {
        Some(pairs) if pairs.iter().all(|pair| is_key(&pair.key)) => Form::Dsn(pairs),
        Some(_) => Form::Foreign,
        None if text.contains("://") => Form::Foreign,
        None => Form::Neither,
    }
}

/// A parameter's name, or that of a setting with its prefix.
fn is_key(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.')
}

/// Refuses a template that looks like a connection string of somebody else's: taken for pairs, all of it would become the name
/// of a parameter, and be sent to whatever server is nearest. A text that is nothing like one is told when it is used.
pub fn check_form(template: &str) -> Result<(), ConnectionStringError> {
    match form(template) {
        Form::Foreign => refuse(
            "give a URL that begins with postgresql:// or postgres://, or words with values as in host=… user=… dbname=…",
        ),
        Form::Url(_) | Form::Dsn(_) | Form::Neither => Ok(()),
    }
}

fn after_scheme(text: &str) -> Option<&str> {
    ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
}

/// Takes a connection string apart and puts the credentials in.
pub fn parse(
    template: &str,
    credentials: &Credentials<'_>,
) -> Result<ConnectionString, ConnectionStringError> {
    let fill = |text: &str| {
        text.replace("{{username}}", credentials.username)
            .replace("{{password}}", credentials.password.expose())
    };
    let pairs = if credentials.disable_escaping {
        pairs(&fill(template))?
    } else {
        pairs(template)?
            .into_iter()
            .map(|(key, value)| (key, fill(&value)))
            .collect()
    };
    assemble(pairs)
}

fn pairs(text: &str) -> Result<Vec<(String, String)>, ConnectionStringError> {
    match form(text) {
        Form::Url(rest) => url_pairs(rest),
        Form::Dsn(found) => Ok(found.into_iter().map(|p| (p.key, p.value)).collect()),
        Form::Foreign | Form::Neither => refuse("invalid keyword/value"),
    }
}

fn assemble(pairs: Vec<(String, String)>) -> Result<ConnectionString, ConnectionStringError> {
    let mut parts = ConnectionString {
        host: String::new(),
        port: 5432,
        user: String::new(),
        password: None,
        database: None,
        parameters: Vec::new(),
    };
    for (key, value) in pairs {
        match key.as_str() {
            "host" | "hostaddr" => parts.host = value,
            "port" => {
                parts.port = match value.parse() {
                    Ok(port) => port,
                    Err(_) => return refuse("the port is not a number up to 65535"),
                }
            }
            "user" => parts.user = value,
            "password" => parts.password = Some(Password::new(value)),
            "dbname" => parts.database = Some(value).filter(|name| !name.is_empty()),
            _ => parts.parameters.push((key, value)),
        }
    }
    if parts.host.is_empty() {
        parts.host = "localhost".into();
    }
    if parts.host.contains(',') {
        return refuse(
            "several hosts are not supported; name one, or an address that moves with the primary",
        );
    }
    if parts.host.contains(char::is_whitespace) {
        return refuse("invalid character in host name");
    }
    Ok(parts)
}

fn decode(text: &str) -> Result<String, ConnectionStringError> {
    let bytes = text.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        let digit = |offset: usize| bytes.get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        *byte == b'%' && !(digit(1) && digit(2))
    });
    if broken {
        return refuse("invalid percent escape");
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => refuse("a percent escape is not UTF-8"),
    }
}

fn url_pairs(rest: &str) -> Result<Vec<(String, String)>, ConnectionStringError> {
    let mut found = Vec::new();
    let mut put = |key: &str, value: &str| -> Result<(), ConnectionStringError> {
        if !value.is_empty() {
            found.push((key.to_owned(), decode(value)?));
        }
        Ok(())
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (userinfo, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    put("user", user)?;
    put("password", password)?;
    let (host, port) = match address.strip_prefix('[') {
        Some(address) => match address.split_once(']') {
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
            None => return refuse("missing ']' in host"),
        },
        None => address.rsplit_once(':').unwrap_or((address, "")),
    };
    put("host", host)?;
    put("port", port)?;
    put("dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        put(&decode(key)?, value)?;
    }
    Ok(found)
}

struct DsnPair {
    key: String,
    value: String,
    /// Bytes of the value in the text, quotes included.
    span: std::ops::Range<usize>,
}

/// libpq's `key = 'value'` form; None where it is not that.
fn dsn_pairs(text: &str) -> Option<Vec<DsnPair>> {
    let bytes = text.as_bytes();
    let blank = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_whitespace);
    let skip = |mut at: usize| {
        while blank(at) {
            at += 1;
        }
        at
    };
    let mut found = Vec::new();
    let mut at = skip(0);
    while at < bytes.len() {
        let start = at;
        while at < bytes.len() && bytes[at] != b'=' && !blank(at) {
            at += 1;
        }
        let key = text.get(start..at)?.to_owned();
        at = skip(at);
        if key.is_empty() || bytes.get(at) != Some(&b'=') {
            return None;
        }
        at = skip(at + 1);
        let start = at;
        let quoted = bytes.get(at) == Some(&b'\'');
        at += usize::from(quoted);
        let mut value = Vec::new();
        loop {
            match bytes.get(at) {
                Some(b'\'') if quoted => break at += 1,
                None if quoted => return None,
                None => break,
                Some(_) if !quoted && blank(at) => break,
                Some(b'\\') => {
                    value.push(*bytes.get(at + 1)?);
                    at += 2;
                }
                Some(byte) => {
                    value.push(*byte);
                    at += 1;
                }
            }
        }
        found.push(DsnPair {
            key,
            value: String::from_utf8(value).ok()?,
            span: start..at,
        });
        at = skip(at);
    }
    Some(found)
}

/// What stands in a password's place.
const MASK: &str = "xxxxx";

fn is_literal(value: &str) -> bool {
    !value.is_empty() && value != "{{password}}"
}

/// True if a URL holds a password of its own rather than a placeholder (contract 7.2: the warning is for URLs only).
pub fn has_literal_password(template: &str) -> bool {
    after_scheme(template).is_some_and(|rest| masked_url(template, rest) != template)
}

/// The text as reads show it: any password in it replaced by `xxxxx`, everything else verbatim. All of a text that can not be
/// taken apart: nothing says where its password is.
pub fn redact(template: &str) -> String {
    match form(template) {
        Form::Url(rest) if is_clear(rest) => masked_url(template, rest),
        Form::Dsn(pairs) => masked_dsn(template, pairs),
        Form::Url(_) | Form::Foreign | Form::Neither => MASK.into(),
    }
}

/// False where a password that holds a slash, unescaped, would pass for a port and a path.
fn is_clear(rest: &str) -> bool {
    let is_number = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit());
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if behind.contains('@') && !authority.contains('@') {
        return false;
    }
    url_pairs(rest).is_ok_and(|pairs| {
        pairs
            .iter()
            .all(|(key, value)| key != "port" || is_number(value))
    })
}

fn masked_dsn(template: &str, pairs: Vec<DsnPair>) -> String {
    let mut masked = template.to_owned();
    for pair in pairs.into_iter().rev() {
        if pair.key == "password" && is_literal(&pair.value) {
            masked.replace_range(pair.span, MASK);
        }
    }
    masked
}

fn masked_url(template: &str, rest: &str) -> String {
    let scheme = &template[..template.len() - rest.len()];
    let (head, query) = match rest.split_once('?') {
        Some((head, query)) => (head, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = match head.find('/') {
        Some(at) => head.split_at(at),
        None => (head, ""),
    };
    let authority = match authority.rsplit_once('@') {
        Some((userinfo, address)) => match userinfo.split_once(':') {
            Some((user, password)) if is_literal(password) => format!("{user}:{MASK}@{address}"),
            _ => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    let query = query.map(|query| {
        query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some(("password", value)) if is_literal(value) => format!("password={MASK}"),
                _ => pair.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("&")
    });
    match query {
        Some(query) => format!("{scheme}{authority}{path}?{query}"),
        None => format!("{scheme}{authority}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(template: &str, username: &str, password: &str, disable_escaping: bool) -> String {
        let password = Password::new(password);
        let credentials = Credentials {
            username,
            password: &password,
            disable_escaping,
        };
        match parse(template, &credentials) {
            Ok(parts) => format!(
                "{}|{}|{}|{}|{}|{:?}",
                parts.host,
                parts.port,
                parts.user,
                parts.password.as_ref().map_or("", Password::expose),
                parts.database.as_deref().unwrap_or_default(),
                parts.parameters
            ),
            Err(error) => error.to_string(),
        }
    }

    fn check(template: &str, expect: &str) {
        let shown = show(template, "gold esc@1", "p@ ss/%41:#?'\\", false);
        assert_eq!(shown, expect, "{template}");
    }

    #[test]
    fn both_forms_take_any_name_and_password() {
        let filled = "h|6543|gold esc@1|p@ ss/%41:#?'\\|db|[(\"sslmode\", \"disable\")]";
        check(
            "postgresql://{{username}}:{{password}}@h:6543/db?sslmode=disable",
            filled,
        );
        check(
            "postgres://{{username}}:{{password}}@h:6543/db?sslmode=disable",
            filled,
        );
        check(
            "host=h port=6543 user={{username}} password={{password}} dbname=db sslmode=disable",
            filled,
        );
        check(
            "host = h  port=6543 user='{{username}}' password = '{{password}}' dbname=db sslmode=disable",
            filled,
        );
        check("postgres://h/db", "h|5432|||db|[]");
        check(
            "postgres:///db?host=%2Frun%2Fpg&user=u",
            "/run/pg|5432|u||db|[]",
        );
        check("postgres://u@[::1]:6/", "::1|6|u|||[]");
        check("host=/run/pg user='a\\'b'", "/run/pg|5432|a'b|||[]");
        check(
            "not a url",
            "cannot parse connection url: invalid keyword/value",
        );
        check(
            "postgres://h:99999/db",
            "cannot parse connection url: the port is not a number up to 65535",
        );
        check(
            "postgres://u:%zz@h/db",
            "cannot parse connection url: invalid percent escape",
        );
        check(
            "postgres://h1:1,h2:2/db",
            "cannot parse connection url: several hosts are not supported; name one, or an address that moves with the primary",
        );
    }

    #[test]
    fn without_escaping_the_values_are_pasted() {
        let template = "postgresql://{{username}}:{{password}}@h/db";
        assert_eq!(
            show(template, "gold%20esc%401", "p%40%2F", true),
            "h|5432|gold esc@1|p@/|db|[]"
        );
        assert!(show(template, "gold esc@1", "p@ ss/%41", true).starts_with("cannot parse"));
    }

    fn check_redacted(template: &str, expect: &str) {
        assert_eq!(redact(template), expect);
    }

    #[test]
    fn passwords_are_masked_and_nothing_else_changes() {
        for verbatim in [
            "postgresql://{{username}}:{{password}}@h/db?sslmode=disable",
            "postgresql://{{username}}:{{password}}@{{username}}:1/{{username}}",
            "host=h port=1 user={{username}} password={{password}} dbname=x",
            "postgres://u@h/db",
            "postgres://u@h1:1,h2:2/db",
        ] {
            check_redacted(verbatim, verbatim);
            assert!(!has_literal_password(verbatim));
        }
        check_redacted("postgres://u:secret@h:1/db", "postgres://u:xxxxx@h:1/db");
        check_redacted("postgres://u:a:b@c@h:1", "postgres://u:xxxxx@h:1");
        check_redacted(
            "postgres://h/db?password=s&a=b",
            "postgres://h/db?password=xxxxx&a=b",
        );
        check_redacted(
            "host=h password='a b' user=u",
            "host=h password=xxxxx user=u",
        );
        assert!(has_literal_password("postgres://u:secret@h:1/db"));
        assert!(!has_literal_password("host=h password=x"));
    }

    #[test]
    fn nothing_is_shown_of_what_can_not_be_taken_apart() {
        for unreadable in [
            "not a url",
            "postgresq://u:secret@h/db?sslmode=disable",
            "jdbc:postgresql://h/db?user=u&password=secret",
            "host=h password='secret",
            "postgres://u:sec/ret@h/db",
        ] {
            check_redacted(unreadable, MASK);
        }
        assert!(!has_literal_password("not a url"));
        assert!(has_literal_password("postgres://u:sec%ret@h/db"));
    }

    #[test]
    fn connection_strings_of_others_are_refused() {
        for foreign in [
            "postgresq://u:secret@h/db?sslmode=disable",
            "postgresq://u:secret@h/db",
            " postgres://u:secret@h/db?sslmode=disable",
            "POSTGRES://u:secret@h/db",
            "jdbc:postgresql://h/db?user=u&password=secret",
            "mysql://u:secret@h",
            "host=h us-er=u",
            "1host=h",
        ] {
            let refused = check_form(foreign).expect_err(foreign).to_string();
            assert!(
                refused.starts_with("cannot parse connection url: give a URL"),
                "{refused}"
            );
            assert!(!refused.contains("secret"), "{refused}");
            assert!(
                show(foreign, "u", "p", false).starts_with("cannot parse"),
                "{foreign}"
            );
        }
        for ours in [
            "postgres://u:secret@h/db?a=b://c",
            "host=h password='a://b' app.setting_1=x _x=y",
            "not a url",
            "{{password}}",
        ] {
            assert_eq!(check_form(ours), Ok(()), "{ours}");
        }
    }
}
