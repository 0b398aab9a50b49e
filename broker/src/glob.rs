//! `allowed_roles`: names with `*` anywhere (contract 7.2). Pure.

/// Whether any of the patterns allows a role.
pub fn allows(patterns: &[String], role: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, role))
}

fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let Some((middle, last)) = rest.rsplit_once('*') else {
        return text.ends_with(rest);
    };
    for part in middle.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, role: &str, expect: bool) {
        assert_eq!(matches(pattern, role), expect, "{pattern:?} for {role:?}");
    }

    #[test]
    fn stars_stand_for_anything() {
        for pattern in [
            "app", "ap*", "*pp", "*p*", "a*p", "*", "**", "a**p", "*a*p*p*",
        ] {
            check(pattern, "app", true);
        }
        for pattern in ["", "APP", "x,app", "a*pp*p", "*x*", "appp*", "p*"] {
            check(pattern, "app", false);
        }
        check("a*a", "a", false);
    }
}
