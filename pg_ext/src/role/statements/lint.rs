//! What a person should know of creation texts before logins are made by them: what will be refused, what does not do what
//! it seems to, what has a limit, and whether the grants can be shared.

use super::share::{self, STAND_IN, VERIFIER};
use super::{Kind, Locks, LoginOptions, StatementError};
use super::{classify, plan};
use crate::core::power::is_dangerous;
use crate::core::template::{Placeholder, bare_names, render};
use crate::ffi::parser::{self, RoleOption, RoleRef, Shape};
use crate::ffi::{grant, subxact};
use pgrx::pg_sys::panic::CaughtError;

/// How grave it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// No login can be made by this.
    Error,
    /// It works, and somebody will be sorry.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// One thing to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// What it is.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// Reads `texts` and says what there is to say, in the order of the statements. What stands in the way of sharing the
/// grants is an error if they are to be `shared`. Nothing is run and no name looked up.
pub fn lint(texts: &[String], shared: bool) -> Vec<Finding> {
    let mut findings = Findings::default();
    if texts.iter().any(|text| text.contains("{{")) {
        findings.placeholders(texts);
    }
    let whole = subxact::caught(|| plan(Kind::Creation, texts, &share::values(STAND_IN)));
    match whole {
        Err(error) => findings.error(message(&error), "Correct the statement."),
        Ok(Err(error)) => findings.refused(&error),
        Ok(Ok(_)) => {
            let mut login = None;
            for text in texts {
                findings.text(text, &mut login);
            }
            findings.login(login.as_ref());
            findings.sharing(texts, shared);
        }
    }
    findings.0
}

fn message(error: &CaughtError) -> String {
    match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => {
            report.message().to_owned()
        }
        CaughtError::RustPanic { ereport, .. } => ereport.message().to_owned(),
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, what: impl Into<String>, hint: impl Into<String>) {
        let finding = Finding {
            severity,
            what: what.into(),
            hint: hint.into(),
        };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    fn error(&mut self, what: impl Into<String>, hint: &str) {
        self.add(Severity::Error, what, hint);
    }

    fn warn(&mut self, what: impl Into<String>, hint: &str) {
        self.add(Severity::Warning, what, hint);
    }

    fn info(&mut self, what: impl Into<String>, hint: &str) {
        self.add(Severity::Info, what, hint);
    }

    fn refused(&mut self, error: &StatementError) {
        self.error(error.to_string(), error.hint());
    }

    /// What stands in double braces, and where.
    fn placeholders(&mut self, texts: &[String]) {
        for text in texts {
            for part in text.split("{{").skip(1) {
                let Some((word, _)) = part.split_once("}}") else {
                    continue;
                };
                let written = format!("{{{{{word}}}}}");
                if Placeholder::ALL.iter().all(|known| known.text() != written) {
                    self.warn(
                        format!("{written} is no placeholder and stays as it is"),
                        "Write {{name}}, {{password}} or {{expiration}}, without blanks.",
                    );
                }
            }
            if bare_names(text) {
                self.info(
                    "{{name}} stands without quotes: here it becomes a quoted identifier, elsewhere it is pasted",
                    "Write \"{{name}}\".",
                );
            }
        }
    }

    fn text(&mut self, text: &str, login: &mut Option<LoginOptions>) {
        let Ok(rendered) = render(text, &share::values(STAND_IN)) else {
            return;
        };
        for statement in parser::parse(&rendered) {
            self.statement(statement.text, statement.tag, &statement.shape);
            let verdict =
                classify::classify(statement.shape, Kind::Creation, STAND_IN, login.is_some());
            match verdict {
                Ok(classify::Verdict::CreateLogin(options)) => *login = Some(options),
                Ok(classify::Verdict::AlterLogin(options)) => {
                    if let Some(login) = login {
                        classify::alter(login, options);
                    }
                }
                Ok(classify::Verdict::GrantGroups(groups)) => self.groups(&groups),
                Ok(classify::Verdict::Run { locks, .. }) => {
                    self.grant(statement.text, locks);
                }
                Ok(classify::Verdict::Ours) | Err(_) => {}
            }
        }
    }

    fn statement(&mut self, text: &str, tag: &str, shape: &Shape) {
        match shape {
            Shape::CreateRole { options, .. } | Shape::AlterRole { options, .. } => {
                self.role_options(text, options);
            }
            Shape::GrantRole {
                grantees,
                plain: false,
                ..
            } if grantees.contains(&RoleRef::Named(STAND_IN.to_owned())) => self.warn(
                "a membership WITH ADMIN OPTION or GRANTED BY is given by PostgreSQL, with the definer's rights",
                "Leave that out: the login could hand the group on.",
            ),
            Shape::Block { grants } => self.info(
                format!(
                    "what a DO block does{} is not looked into beforehand",
                    if *grants { ", grants above all," } else { "" }
                ),
                "Plain statements take their locks in order and can be shared.",
            ),
            Shape::Other => self.info(
                format!("{tag} runs at each issue, with the rights of whoever defines the role"),
                "Do once what need not be done for each login.",
            ),
            _ => {}
        }
    }

    fn role_options(&mut self, text: &str, options: &[RoleOption]) {
        for option in options {
            match option {
                RoleOption::Power(true) => self.warn(
                    "a login with SUPERUSER, CREATEROLE, CREATEDB, REPLICATION or BYPASSRLS outlives its lease if it likes",
                    "Leave it out; only a superuser may define such a role.",
                ),
                RoleOption::Password if !text.contains(VERIFIER) => self.warn(
                    "a password is written in the text: everybody who may read the role sees it, and it is not used",
                    "Write PASSWORD '{{password}}', or leave it out: the login gets its own.",
                ),
                RoleOption::Rest => self.info(
                    "ROLE and ADMIN make others members of the login, who lose it with the lease",
                    "Make the login a member of a group instead.",
                ),
                _ => {}
            }
        }
        if !options.contains(&RoleOption::ValidUntil) && text.to_lowercase().starts_with("create") {
            self.info(
                "there is no VALID UNTIL",
                "That is harmless: the login gets its lease's end in any case.",
            );
        }
    }

    fn groups(&mut self, groups: &[String]) {
        for group in groups.iter().filter(|group| is_dangerous(group)) {
            self.warn(
                format!("members of {group} reach beyond their lease"),
                "Only a superuser may define such a role: grant what is needed to a group of your own.",
            );
        }
    }

    fn grant(&mut self, text: &str, locks: Locks) {
        let Locks::Class(_) = locks else { return };
        let Some(written) = grant::written(text) else {
            return;
        };
        match &written.grantees {
            Some(names) if names.iter().any(|name| name == STAND_IN) => self.warn(
                "the login's own grants stand in the access list of each object: at about 2,440 live logins it is full",
                "Grant to a group once and say member_of, or let the recipe share its grants (grants => 'shared').",
            ),
            Some(_) => {}
            None => self.warn(
                "a grant to PUBLIC or to the current user stays when the lease ends",
                "Grant that once, outside the role.",
            ),
        }
        if written.grant_option {
            self.warn(
                "WITH GRANT OPTION: what the login hands on is taken back when its lease ends",
                "Grant to whoever needs it.",
            );
        }
        if written.creates {
            self.warn(
                "a login that may create things can leave things, and what owns something is not dropped",
                "Say reassign_to or drop_owned, or the lease stays fenced until somebody decides.",
            );
        }
    }

    fn login(&mut self, login: Option<&LoginOptions>) {
        let Some(login) = login else {
            self.warn(
                "no plain CREATE ROLE makes the login",
                "Begin with CREATE ROLE \"{{name}}\" WITH LOGIN: only a superuser's role may do without.",
            );
            return;
        };
        if !login.login {
            self.warn(
                "the login may not log in",
                "Write CREATE ROLE \"{{name}}\" WITH LOGIN.",
            );
        }
        if login.inherit == Some(false) {
            self.warn(
                "NOINHERIT: groups give the login nothing until it says SET ROLE",
                "Leave it out.",
            );
        }
        if login.connection_limit.is_none() {
            self.info(
                "there is no CONNECTION LIMIT: one login can take every connection of the server",
                "Say how many sessions a login may have, here or by connection_limit.",
            );
        }
        self.groups(&login.in_roles);
    }

    fn sharing(&mut self, texts: &[String], wanted: bool) {
        let severity = if wanted {
            Severity::Error
        } else {
            Severity::Info
        };
        match share::obstacles(texts) {
            Ok(obstacles) if obstacles.is_empty() => self.info(
                "the grants can be shared",
                "With grants => 'shared' a login costs two catalog rows, whatever is granted.",
            ),
            Ok(obstacles) => {
                for obstacle in obstacles {
                    let tag = obstacle
                        .tag
                        .map_or(String::new(), |tag| format!(" ({tag})"));
                    self.add(
                        severity,
                        format!("the grants can not be shared{tag}: {}", obstacle.why),
                        obstacle.cure,
                    );
                }
            }
            Err(_) => {}
        }
    }
}
