//! Why a piece of a worker's work failed, as it is kept in a lease's `last_error`.

/// An error that ended a transaction of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its SQLSTATE.
    pub code: String,
    /// Its message.
    pub message: String,
    /// Its detail, if it has one.
    pub detail: Option<String>,
}

impl Trouble {
    /// True for the errors that only mean "somebody else holds this now": lock timeout, deadlock, a row changed
    /// by another at the same moment, a serialisation failure.
    pub fn passes(&self) -> bool {
        matches!(self.code.as_str(), "55P03" | "40P01" | "40001")
            || (self.code == "XX000" && self.message.starts_with("tuple concurrently"))
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)?;
        match &self.detail {
            // The server lists what depends on a role line by line; one line is easier to read in a row.
            Some(detail) => write!(f, ": {}", detail.replace('\n', "; ")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Trouble;

    fn check(code: &str, message: &str, passes: bool) {
        let trouble = Trouble {
            code: code.into(),
            message: message.into(),
            detail: None,
        };
        assert_eq!(trouble.passes(), passes, "{code} {message}");
    }

    #[test]
    fn contention_passes_and_the_rest_stays() {
        check("55P03", "canceling statement due to lock timeout", true);
        check("40P01", "deadlock detected", true);
        check("XX000", "tuple concurrently updated", true);
        check("XX000", "tuple concurrently deleted", true);
        check("XX000", "cache lookup failed for role 7", false);
        check("2BP01", "role \"x\" cannot be dropped", false);
    }

    #[test]
    fn a_detail_becomes_one_line() {
        let trouble = Trouble {
            code: "2BP01".into(),
            message: "role cannot be dropped".into(),
            detail: Some("owner of table t\nowner of table u".into()),
        };
        assert_eq!(
            trouble.to_string(),
            "role cannot be dropped (2BP01): owner of table t; owner of table u"
        );
    }
}
