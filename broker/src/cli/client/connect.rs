//! How a server is reached: address, TLS, timeouts.

use std::fs;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use url::Url;

use super::ClientError;
use crate::cli::data::plain;
use crate::cli::flags::Flags;

/// Refuses what is no address of a server, in words.
pub(super) fn check_address(address: &str) -> Result<String, ClientError> {
    let refuse = |why| ClientError::Address {
        address: address.to_owned(),
        why,
    };
    if address.starts_with("unix:") {
        return Err(refuse(
            "Unix sockets are not supported; give http:// or https://",
        ));
    }
    let scheme = "it begins with neither http:// nor https://";
    let url = Url::parse(address).map_err(|_| refuse(scheme))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse(scheme));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refuse("it names no host"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(refuse("it has more than scheme, host, port and path"));
    }
    Ok(address.to_owned())
}

/// Where a redirect leads; never from https to http, which would show the token to everyone.
pub(super) fn resolve_redirect(from: &str, location: &str) -> Result<String, ClientError> {
    let refuse = |why| ClientError::Redirect {
        location: location.to_owned(),
        why,
    };
    let from = Url::parse(from).map_err(|_| refuse("it is no URL"))?;
    let to = from.join(location).map_err(|_| refuse("it is no URL"))?;
    match (from.scheme(), to.scheme()) {
        ("https", "https") | ("http", "http" | "https") => Ok(to.to_string()),
        ("https", _) => Err(refuse("it would send the token without encryption")),
        _ => Err(refuse("it is neither http nor https")),
    }
}

/// The URL with another host: the one that the certificate must name (see [`Fixed`]).
pub(super) fn rename_host(url: &str, host: &str) -> Result<String, ClientError> {
    let refuse = |why| ClientError::Address {
        address: host.to_owned(),
        why,
    };
    let mut url = Url::parse(url).map_err(|_| refuse("it is no URL"))?;
    url.set_host(Some(host))
        .map_err(|_| refuse("it is no host name"))?;
    Ok(url.to_string())
}

/// An agent that neither follows redirects nor turns a status into an error. It knows no proxy: which one a request goes
/// by is decided for each, by its own URL.
pub(super) fn agent(
    flags: &Flags,
    base: &str,
    timeout: Duration,
) -> Result<ureq::Agent, ClientError> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(timeout))
        .proxy(None)
        .user_agent(concat!("leasehold/", env!("CARGO_PKG_VERSION")));
    let config = if base.starts_with("https://") {
        config.tls_config(tls(flags)?)
    } else {
        config
    };
    let config = config.build();
    Ok(match flags.text("tls-server-name") {
        Some(_) => {
            let resolver = Fixed {
                target: base.parse().ok(),
            };
            ureq::Agent::with_parts(config, DefaultConnector::default(), resolver)
        }
        None => ureq::Agent::new_with_config(config),
    })
}

fn tls(flags: &Flags) -> Result<TlsConfig, ClientError> {
    let config = TlsConfig::builder()
        .disable_verification(flags.is_on("tls-skip-verify"))
        .root_certs(roots(flags)?);
    let config = match (flags.text("client-cert"), flags.text("client-key")) {
        (None, None) => config,
        (Some(certificate), Some(key)) => {
            let chain = certificates(certificate)?;
            let text = read(key)?;
            let key = PrivateKey::from_pem(text.as_bytes())
                .map_err(|error| broken(key, &error.to_string()))?;
            config.client_cert(Some(ClientCert::new_with_certs(&chain, key)))
        }
        _ => {
            return Err(broken(
                "-client-cert and -client-key",
                "one needs the other",
            ));
        }
    };
    Ok(config.build())
}

fn roots(flags: &Flags) -> Result<RootCerts, ClientError> {
    if let Some(file) = flags.text("ca-cert") {
        return Ok(RootCerts::new_with_certs(&certificates(file)?));
    }
    if let Some(folder) = flags.text("ca-path") {
        let entries = fs::read_dir(folder).map_err(|error| broken(folder, &plain(&error)))?;
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        // Other files may lie beside the certificates.
        let all: Vec<_> = files
            .filter(|file| file.is_file())
            .filter_map(|file| certificates(&file.to_string_lossy()).ok())
            .flatten()
            .collect();
        if all.is_empty() {
            return Err(broken(folder, "no PEM-encoded certificate in it"));
        }
        return Ok(RootCerts::new_with_certs(&all));
    }
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return Ok(RootCerts::WebPki);
    }
    let all: Vec<_> = found
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    Ok(RootCerts::new_with_certs(&all))
}

fn certificates(file: &str) -> Result<Vec<Certificate<'static>>, ClientError> {
    let text = read(file)?;
    let mut all = Vec::new();
    for item in parse_pem(text.as_bytes()) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| broken(file, &error.to_string()))?
        {
            all.push(certificate);
        }
    }
    match all.is_empty() {
        true => Err(broken(file, "no PEM-encoded certificate in it")),
        false => Ok(all),
    }
}

fn read(file: &str) -> Result<String, ClientError> {
    fs::read_to_string(file).map_err(|error| broken(file, &plain(&error)))
}

fn broken(what: &str, why: &str) -> ClientError {
    ClientError::Tls {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}

/// Resolves every name to the address that was given: the URL then carries the name that the
/// certificate must have.
#[derive(Debug)]
struct Fixed {
    target: Option<Uri>,
}

impl Resolver for Fixed {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let target = self.target.as_ref().unwrap_or(uri);
        DefaultResolver::default().resolve(target, config, timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_addresses() {
        let check = |address: &str, expect: Result<(), &str>| match (check_address(address), expect)
        {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (seen, _) => panic!("{address}: {seen:?}"),
        };
        check("http://127.0.0.1:8200", Ok(()));
        check("https://leasehold.example/below", Ok(()));
        check("127.0.0.1:8200", Err("neither http:// nor https://"));
        check("localhost:8200", Err("neither http:// nor https://"));
        check("unix:///run/x.sock", Err("Unix sockets"));
        check(
            "https://u:p@h",
            Err("more than scheme, host, port and path"),
        );
        check(
            "https://h/?a=b",
            Err("more than scheme, host, port and path"),
        );
    }

    #[test]
    fn never_sends_the_token_in_the_open() {
        let check = |from: &str, location: &str, expect: Option<&str>| {
            let seen = resolve_redirect(from, location).ok();
            assert_eq!(seen.as_deref(), expect, "{from} -> {location}");
        };
        check("https://a/v1/x", "https://b/v1/x", Some("https://b/v1/x"));
        check("https://a/v1/x", "/v1/y", Some("https://a/v1/y"));
        check("http://a/v1/x", "https://a/v1/x", Some("https://a/v1/x"));
        check("https://a/v1/x", "http://a/v1/x", None);
        check("http://a/v1/x", "file:///etc/passwd", None);
    }
}
