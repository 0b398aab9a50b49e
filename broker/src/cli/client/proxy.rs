//! Which proxy a request goes by: as Go's `http.ProxyFromEnvironment` decides it, which users of this API's other
//! command lines know. Pure: the variables are read once, by [`Proxies::read`].

use std::net::IpAddr;

use ureq::{Proxy, ProxyProtocol};
use url::{Host, Url};

use super::ClientError;
use crate::cidr;
use crate::cli::environment::Environment;

/// A variable's name and value; the value may hold a password, so neither it nor what holds it can be printed.
type Variable = (&'static str, String);

/// What the environment says about proxies. `ALL_PROXY` is not asked, as Go does not.
pub(super) struct Proxies {
    /// For `http://`.
    http: Option<Variable>,
    /// For `https://`.
    https: Option<Variable>,
    /// Who is reached without one.
    direct: String,
}

impl Proxies {
    /// Reads the variables; capitals win, an empty value counts as none.
    pub(super) fn read(environment: &Environment) -> Proxies {
        let first = |names: [&'static str; 2]| {
            names
                .into_iter()
                .find_map(|name| Some((name, environment.plain(name)?)))
        };
        Proxies {
            http: first(["HTTP_PROXY", "http_proxy"]),
            https: first(["HTTPS_PROXY", "https_proxy"]),
            direct: first(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, list)| list),
        }
    }

    /// The proxy for a request to this URL, if it goes by one; an error if that one can not be used, since a request
    /// must not go another way than was said.
    pub(super) fn choose(&self, url: &str) -> Result<Option<Proxy>, ClientError> {
        let Some((name, value)) = self.variable(url) else {
            return Ok(None);
        };
        let refuse = |why| ClientError::Proxy {
            variable: name,
            why,
        };
        let proxy = Proxy::new(value).map_err(|_| refuse("it is no URL of a proxy"))?;
        match proxy.protocol() {
            ProxyProtocol::Http | ProxyProtocol::Https => Ok(Some(proxy)),
            _ => Err(refuse("only http:// and https:// are supported")),
        }
    }

    /// The variable that names the proxy for this URL, and its value.
    pub(super) fn variable(&self, url: &str) -> Option<(&'static str, &str)> {
        let url = Url::parse(url).ok()?;
        let (name, value) = match url.scheme() {
            "http" => self.http.as_ref()?,
            "https" => self.https.as_ref()?,
            _ => return None,
        };
        let (host, port) = (url.host()?, url.port_or_known_default()?);
        if is_loopback(&host) || is_listed(&self.direct, &host, port) {
            return None;
        }
        Some((name, value))
    }
}

/// This machine is never reached by a proxy: the token would leave it.
fn is_loopback(host: &Host<&str>) -> bool {
    match address(host) {
        Some(address) => address.is_loopback(),
        None => host.to_string() == "localhost",
    }
}

fn address(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address).to_canonical()),
    }
}

/// Whether a list of `NO_PROXY` names this host: `*`, `10.0.0.0/8`, an address, `name` (with all below it), `.name` (only
/// what is below it; `*.name` too), the last three with or without `:port`.
fn is_listed(list: &str, host: &Host<&str>, port: u16) -> bool {
    let name = host.to_string().to_ascii_lowercase();
    list.split(',').map(str::trim).any(|entry| {
        if entry == "*" {
            return true;
        }
        if entry.contains('/') {
            let network = [entry.to_owned()];
            return address(host).is_some_and(|address| cidr::any_contains(&network, address));
        }
        let (wanted, wanted_port) = split_port(entry);
        if wanted_port.is_some_and(|wanted| wanted != port.to_string()) {
            return false;
        }
        match (wanted.parse::<IpAddr>(), address(host)) {
            (Ok(wanted), Some(address)) => wanted.to_canonical() == address,
            (Err(_), None) => is_name(&wanted.to_ascii_lowercase(), &name),
            _ => false,
        }
    })
}

/// `host:port`, `[::1]:port`; an address of many colons has no port.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|e| e.split_once(']')) {
        return (address, rest.strip_prefix(':'));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (entry, None),
    }
}

fn is_name(wanted: &str, name: &str) -> bool {
    let wanted = wanted
        .strip_prefix('*')
        .filter(|w| w.starts_with('.'))
        .unwrap_or(wanted);
    let (itself, below) = match wanted.strip_prefix('.') {
        Some(below) => (false, below),
        None => (true, wanted),
    };
    let above = name.strip_suffix(below).filter(|_| !below.is_empty());
    above.is_some_and(|above| (itself && above.is_empty()) || above.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&'static str, &'static str)]) -> Proxies {
        let variables = variables.to_vec();
        Proxies::read(&Environment::from(move |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn each_scheme_has_its_own_and_this_machine_has_none() {
        let all = [
            ("ALL_PROXY", "http://all:1"),
            ("HTTP_PROXY", "http://plain:2"),
            ("HTTPS_PROXY", "http://tls:3"),
        ];
        let check = |url: &str, expect: Option<&str>| {
            let found = proxies(&all).choose(url).expect("a usable proxy");
            let found = found.map(|proxy| proxy.uri().to_string());
            let expect = expect.map(|expect| format!("{expect}/"));
            assert_eq!(found, expect, "{url}");
        };
        check("http://vault.example:8200/v1/x", Some("http://plain:2"));
        check("https://vault.example:8200/v1/x", Some("http://tls:3"));
        check("https://10.0.0.1/v1/x", Some("http://tls:3"));
        for host in [
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            check(&format!("http://{host}:8200/v1/x"), None);
            check(&format!("https://{host}:8200/v1/x"), None);
        }
        check("http://localhost.example/v1/x", Some("http://plain:2"));
    }

    #[test]
    fn one_schemes_proxy_is_not_for_the_other() {
        let check = |variable: &'static str, url: &str, expect: Option<&'static str>| {
            let proxies = proxies(&[(variable, "http://p:1")]);
            assert_eq!(
                proxies.variable(url).map(|(name, _)| name),
                expect,
                "{variable} {url}"
            );
        };
        check("HTTP_PROXY", "https://v.example", None);
        check("HTTPS_PROXY", "http://v.example", None);
        check("ALL_PROXY", "http://v.example", None);
        check("ALL_PROXY", "https://v.example", None);
        check("http_proxy", "http://v.example", Some("http_proxy"));
        check("https_proxy", "https://v.example", Some("https_proxy"));
    }

    #[test]
    fn exceptions_are_honoured() {
        let check = |list: &'static str, host: &str, direct: bool| {
            for variable in ["NO_PROXY", "no_proxy"] {
                let proxies = proxies(&[("HTTP_PROXY", "p:1"), (variable, list)]);
                let found = proxies
                    .variable(&format!("http://{host}:8200/v1/x"))
                    .is_none();
                assert_eq!(found, direct, "{variable}={list} {host}");
            }
        };
        check("", "a.example", false);
        check("*", "a.example", true);
        check("b.example, A.Example", "a.example", true);
        check("a.example", "x.a.example", true);
        check("a.example", "xa.example", false);
        check(".a.example", "x.a.example", true);
        check(".a.example", "a.example", false);
        check("*.a.example", "x.a.example", true);
        check("*.a.example", "a.example", false);
        check("a.example:8200", "a.example", true);
        check("a.example:443", "a.example", false);
        check("10.0.0.1", "10.0.0.1", true);
        check("10.0.0.1:8200", "10.0.0.1", true);
        check("10.0.0.1:80", "10.0.0.1", false);
        check("10.0.0.0/8", "10.200.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.0/8", "a.example", false);
        check("2001:db8::1", "[2001:db8::1]", true);
        check("[2001:db8::1]:8200", "[2001:db8::1]", true);
        check("[2001:db8::1]:80", "[2001:db8::1]", false);
        check(".,:,[", "a.example", false);
    }

    #[test]
    fn what_can_not_be_a_proxy_is_said_without_its_password() {
        let check = |value: &'static str, words: &str| {
            let chosen = proxies(&[("HTTP_PROXY", value)]).choose("http://v.example");
            let error = chosen.expect_err("no proxy").to_string();
            assert!(
                error.contains("HTTP_PROXY") && error.contains(words),
                "{error}"
            );
            assert!(!error.contains("secret"), "{error}");
        };
        check("socks5://u:secret@p:1", "only http:// and https://");
        check("http://u:secret@p q", "no URL of a proxy");
        let plain = proxies(&[("HTTP_PROXY", "p.example:3128")]).choose("http://v.example");
        assert_eq!(plain.expect("usable").map(|proxy| proxy.port()), Some(3128));
    }
}
