//! How connections are protected: what a connection string and the details beside it say of TLS, as the driver has to be told.
//! Pure.
//!
//! The driver checks no certificate below `verify-ca`, whatever authority it was given, takes `allow` for plain text, and does
//! not know channel binding nor GSSAPI. Nobody gets less here than was asked for: they get more, or are told what to write.

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::ConnectionDetails;
use super::connection_string::ConnectionString;
use crate::secret::Password;

/// Parameters of a connection string that are dealt with here, and are not for the server.
pub(super) const PARAMETERS: [&str; 6] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "channel_binding",
    "gssencmode",
];

/// Options with what was asked for. The error is a text for the client.
pub(super) fn protect(
    options: PgConnectOptions,
    parts: &ConnectionString,
    details: &ConnectionDetails,
) -> Result<PgConnectOptions, String> {
    let given = |key: &str| {
        let all = parts.parameters.iter().rev();
        let mut named = all.filter(|(name, _)| name == key);
        named.next().map(|(_, value)| value.as_str())
    };
    let file = |key: &str| given(key).filter(|path| !path.is_empty());
    for key in ["channel_binding", "gssencmode"] {
        if given(key) == Some("require") {
            return Err(format!(
                "{key}=require is not supported; leave it out, and let sslmode=verify-full with sslrootcert or tls_ca prove whose \
                 server it is"
            ));
        }
    }
    let files = pair(["sslcert", "sslkey"], file("sslcert"), file("sslkey"))?;
    let texts = pair(
        ["tls_certificate", "private_key"],
        details.tls_certificate.as_deref(),
        details.private_key.as_ref().map(Password::expose),
    )?;
    let authority = file("sslrootcert");
    let is_local = parts.host.starts_with('/');
    let checked = !is_local && (authority.is_some() || details.tls_ca.is_some());
    let mut options = options.ssl_mode(mode(given("sslmode"), checked)?);
    if let Some(path) = authority {
        options = options.ssl_root_cert(path);
    }
    if let Some((certificate, key)) = files {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    if let Some(pem) = &details.tls_ca {
        options = options.ssl_root_cert_from_pem(pem.clone().into_bytes());
    }
    if let Some((certificate, key)) = texts {
        options = options
            .ssl_client_cert_from_pem(certificate)
            .ssl_client_key_from_pem(key);
    }
    Ok(options)
}

/// Both or neither.
fn pair<'a>(
    names: [&str; 2],
    certificate: Option<&'a str>,
    key: Option<&'a str>,
) -> Result<Option<(&'a str, &'a str)>, String> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => Err(format!(
            "{} and {} belong together; give both or neither",
            names[0], names[1]
        )),
    }
}

/// The mode that keeps what was asked for. `checked`: there is an authority to check the server's certificate with.
fn mode(asked: Option<&str>, checked: bool) -> Result<PgSslMode, String> {
    let mode = match asked {
        None => PgSslMode::Prefer,
        Some(text) => text.parse().map_err(|_| {
            format!(
                "sslmode {text:?} is not one of disable, prefer, require, verify-ca, verify-full"
            )
        })?,
    };
    match mode {
        PgSslMode::Allow => Err(
            "sslmode=allow is not supported; write require or verify-full, or disable where plain text is meant".into(),
        ),
        PgSslMode::Disable if checked => Err(
            "sslmode=disable and a certificate authority (tls_ca, sslrootcert) exclude each other; leave one of them out".into(),
        ),
        PgSslMode::Prefer | PgSslMode::Require if checked => Ok(PgSslMode::VerifyCa),
        mode => Ok(mode),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(url: &str, more: Value, expect: &str) {
        let mut details = more.as_object().cloned().unwrap_or_default();
        details.insert("connection_url".into(), url.into());
        let details = ConnectionDetails::parse(&details).expect("well-formed details");
        let parts = details.connection_string().expect("a connection string");
        let options = PgConnectOptions::new_without_pgpass();
        let got = match protect(options, &parts, &details) {
            Ok(options) => format!("{:?}", options.get_ssl_mode()),
            Err(why) => why,
        };
        assert!(got.starts_with(expect), "{url} {more}: {got}");
    }

    #[test]
    fn an_authority_is_never_given_in_vain() {
        let ca = || json!({ "tls_ca": "PEM" });
        let none = || json!({});
        check("postgres://u@h/db", none(), "Prefer");
        check("postgres://u@h/db?sslmode=disable", none(), "Disable");
        check("postgres://u@h/db?sslmode=require", none(), "Require");
        check("postgres://u@h/db", ca(), "VerifyCa");
        check("host=h sslrootcert=/ca.pem", none(), "VerifyCa");
        check("host=h sslrootcert=''", none(), "Prefer");
        for asked in ["prefer", "require", "verify-ca"] {
            let url = format!("postgres://u@h/db?sslmode={asked}");
            check(&url, ca(), "VerifyCa");
            check(&format!("{url}&sslrootcert=/ca.pem"), none(), "VerifyCa");
        }
        check("host=h sslmode=verify-full", ca(), "VerifyFull");
        check(
            "host=h sslmode=require sslmode=verify-full",
            none(),
            "VerifyFull",
        );
        // Nobody is in between on a socket, and no server speaks TLS there.
        check("host=/run/pg user=u", ca(), "Prefer");
        check(
            "host=h sslmode=disable",
            ca(),
            "sslmode=disable and a certificate authority",
        );
    }

    #[test]
    fn what_can_not_be_had_is_refused() {
        let none = || json!({});
        check(
            "host=h sslmode=allow",
            none(),
            "sslmode=allow is not supported",
        );
        check(
            "host=h sslmode=sometimes",
            none(),
            "sslmode \"sometimes\" is not one of",
        );
        for key in ["channel_binding", "gssencmode"] {
            check(&format!("host=h {key}=prefer"), none(), "Prefer");
            let refused = format!("{key}=require is not supported");
            check(&format!("host=h {key}=require"), none(), &refused);
        }
        let pair = "tls_certificate and private_key belong together";
        check("host=h", json!({ "tls_certificate": "PEM" }), pair);
        check("host=h", json!({ "private_key": "PEM" }), pair);
        check(
            "host=h sslcert=/c.pem",
            none(),
            "sslcert and sslkey belong together",
        );
        check(
            "host=h sslkey=/k.pem",
            none(),
            "sslcert and sslkey belong together",
        );
        check(
            "host=h sslcert=/c.pem sslkey=/k.pem",
            json!({ "tls_certificate": "PEM", "private_key": "PEM" }),
            "Prefer",
        );
    }
}
