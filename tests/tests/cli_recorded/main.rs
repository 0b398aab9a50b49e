//! The command line against recorded runs of the reference's: the same arguments send the same
//! requests, print the same and end with the same exit code.
//!
//! `golden/cli.jsonl` has the runs, `golden/cli-answers.jsonl` what a server answered in them (made up
//! once from the recorded output), `golden/cli-differences.json` where ours differs on purpose. The
//! program runs as a process of its own; the server is a stub.

mod recorded;
mod stub;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use leasehold_tests::{built, run_with_input};
use serde_json::Value;

use recorded::{Differences, Run};
use stub::{Seen, Stub};

/// Recorded placeholders that are tokens, accessors, keys or leases.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("{root}", "s.root"),
    ("{root2}", "s.root2"),
    ("{apps}", "s.apps"),
    ("{apps_acc}", "accessorOfApps"),
    ("{ci}", "s.ci"),
    ("{me}", "s.me"),
    ("{orp}", "s.orphan"),
    ("{wrapped}", "s.wrapped"),
    ("{wcreds}", "s.wrappedCreds"),
    ("{wc2}", "s.wrappedCreds2"),
    ("{w2}", "s.wrapped2"),
    (
        "{lease}",
        "database/creds/readonly/LLLLLLLLLLLLLLLLLLLLLLL1",
    ),
    (
        "{lease2}",
        "database/creds/readonly/LLLLLLLLLLLLLLLLLLLLLLLL",
    ),
    ("{k1}", "key1"),
    ("{k2}", "key2"),
    ("{k3}", "key3"),
    // A masked number; as it stands it is no JSON.
    (": 0000000000", ": 1700000000"),
    (
        "creation_time       0000000000",
        "creation_time       1700000000",
    ),
];

/// What the recorded runs read from files.
const FILES: &[(&str, &str)] = &[
    (
        "readonly.sql",
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' INHERIT;\n\
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";\n",
    ),
    (
        "apps-policy.hcl",
        "# Get credentials from the database secrets engine\npath \"database/creds/readonly\" {\n  \
         capabilities = [ \"read\" ]\n}\n",
    ),
    ("bad.hcl", "path \"a\" { capabilities = [\"raed\"] }\n"),
    ("ugly.hcl", "path \"a\" { capabilities=[\"read\"] }\n"),
    (
        "data.json",
        "{\"token_policies\": [\"x\", \"y\"], \"token_ttl\": \"5m\"}\n",
    ),
];

/// Before this run the recorder took the token file away.
const WITHOUT_TOKEN_FILE: u32 = 213;

#[test]
fn runs_go_as_recorded() -> Result<()> {
    let program = built::binary()?;
    let differences = Differences::load()?;
    let stub = Stub::start()?;
    let folder = std::env::temp_dir().join(format!("leasehold-cli-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    for (name, text) in FILES {
        fs::write(folder.join(name), text)?;
    }
    let fill = |text: &str| {
        let text = text.replace("{addr}", stub.address());
        PLACEHOLDERS
            .iter()
            .fold(text, |text, (from, to)| text.replace(from, to))
    };
    let (mut agree, mut differ, mut left_out) = (0, 0, 0);
    let mut faults = Vec::new();
    let helper = folder.join(".vault-token");
    for (run, answers) in recorded::load(fill)? {
        if differences.reason_to_leave_out(run.n).is_some() {
            left_out += 1;
            continue;
        }
        let replies = run
            .requests
            .iter()
            .zip(answers.iter().chain(std::iter::repeat(&None)));
        let replies = replies.map(|(request, answer)| {
            let body = answer.as_ref().map(ToString::to_string).unwrap_or_default();
            (request.status, body)
        });
        if run.n == WITHOUT_TOKEN_FILE {
            fs::remove_file(&helper)?;
        }
        stub.expect(replies.collect());
        let output = start(&program, &run, &folder, stub.address())
            .with_context(|| format!("run {}", run.n))?;
        let mut found = Vec::new();
        check_output(&run, &output, &differences, &mut found);
        check_requests(&run, &stub.seen(), &mut found);
        if !found.is_empty() {
            faults.push(format!(
                "run {}: {:?}\n  {}",
                run.n,
                run.argv,
                found.join("\n  ")
            ));
        } else if differences.other(run.n).is_some() {
            differ += 1;
        } else {
            agree += 1;
        }
    }
    fs::remove_dir_all(&folder)?;
    println!(
        "{agree} recorded runs agree, {differ} print something else by decision, {left_out} are left out"
    );
    ensure!(
        faults.is_empty(),
        "{} runs differ:\n{}",
        faults.len(),
        faults.join("\n")
    );
    Ok(())
}

/// A standby sends its clients on to who leads: method, body and token go along, once.
#[test]
fn follows_one_redirect() -> Result<()> {
    let stub = Stub::start()?;
    let target = format!("{}/v1/elsewhere", stub.address());
    let write = || -> Result<Output> {
        let mut command = Command::new(built::binary()?);
        command.args(["write", "a/b", "c=d"]).env_clear();
        Ok(command
            .env("VAULT_ADDR", stub.address())
            .env("VAULT_TOKEN", "s.x")
            .output()?)
    };
    stub.expect(vec![(307, target.clone()), (204, String::new())]);
    assert_eq!(write()?.status.code(), Some(0));
    let seen = stub.seen();
    assert_eq!(seen.len(), 2);
    let second = &seen[1];
    assert_eq!(
        (second.method.as_str(), second.path.as_str()),
        ("PUT", "/v1/elsewhere")
    );
    assert_eq!(second.body, seen[0].body);
    assert!(
        second
            .headers
            .contains(&("x-vault-token".to_owned(), "s.x".to_owned()))
    );

    stub.expect(vec![
        (307, target.clone()),
        (307, target),
        (204, String::new()),
    ]);
    let output = write()?;
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("it leads to another redirect"), "{said}");
    assert_eq!(stub.seen().len(), 2);
    Ok(())
}

/// A token for this machine does not leave it, whatever proxies the environment names; nobody listens on theirs.
#[test]
fn no_proxy_stands_before_this_machine() -> Result<()> {
    let stub = Stub::start()?;
    stub.expect(vec![(200, r#"{"data":{"a":"b"}}"#.to_owned())]);
    let read = |address: &str| -> Result<Output> {
        let mut command = Command::new(built::binary()?);
        command.args(["read", "-field=a", "x/y"]).env_clear();
        for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"] {
            command.env(name, "http://127.0.0.1:1");
        }
        Ok(command
            .env("VAULT_ADDR", address)
            .env("VAULT_TOKEN", "s.x")
            .output()?)
    };
    let output = read(stub.address())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.stdout == b"b", "{said}");

    // Another machine's is: the name, which nobody has, is for the proxy to find.
    let output = read("http://nobody.invalid:8200")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("connection refused"), "{said}");
    Ok(())
}

fn start(program: &Path, run: &Run, folder: &Path, address: &str) -> Result<Output> {
    let mut command = Command::new(program);
    command
        .args(&run.argv[1..])
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder);
    command.env("BAO_ADDR", address).env("BAO_TOKEN", "s.root");
    for (name, value) in &run.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    run_with_input(&mut command, run.stdin.as_bytes())
}

fn check_output(run: &Run, output: &Output, differences: &Differences, found: &mut Vec<String>) {
    if output.status.code() != Some(run.exit) {
        found.push(format!(
            "exit code {:?}, recorded {}",
            output.status.code(),
            run.exit
        ));
    }
    let other = differences.other(run.n);
    let stdout = other.and_then(|other| other.stdout.clone());
    let stdout = stdout.unwrap_or_else(|| differences.reword(&run.stdout));
    let stderr = other.and_then(|other| other.stderr.clone());
    let stderr = stderr.unwrap_or_else(|| differences.reword(&run.stderr));
    let seen = String::from_utf8_lossy(&output.stdout);
    if !is_same(&seen, &stdout) {
        found.push(format!("stdout:\n{seen}---- want\n{stdout}----"));
    }
    let seen = String::from_utf8_lossy(&output.stderr);
    // Ours may say more behind what was recorded; where nothing was, nothing may come.
    let begins = seen.starts_with(stderr.trim_end()) && (seen.is_empty() == stderr.is_empty());
    if !begins {
        found.push(format!("stderr:\n{seen}---- want\n{stderr}----"));
    }
}

/// JSON is the same in any order of its keys.
fn is_same(seen: &str, want: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (read(seen), read(want)) {
        (Some(seen), Some(want)) => seen == want,
        _ => seen == want,
    }
}

fn check_requests(run: &Run, seen: &[Seen], found: &mut Vec<String>) {
    if seen.len() != run.requests.len() {
        found.push(format!(
            "{} requests, recorded {}: {seen:?}",
            seen.len(),
            run.requests.len()
        ));
        return;
    }
    for (seen, want) in seen.iter().zip(&run.requests) {
        let line = (&seen.method, &seen.path, &seen.query);
        if line != (&want.method, &want.path, &want.query) {
            found.push(format!(
                "{line:?}, recorded {} {} {}",
                want.method, want.path, want.query
            ));
        }
        if seen.body != want.body {
            found.push(format!("body {:?}, recorded {:?}", seen.body, want.body));
        }
        let header = |name: &str| {
            let mut all = seen
                .headers
                .iter()
                .filter(|(seen, _)| seen.eq_ignore_ascii_case(name));
            all.next().map(|(_, value)| value.as_str())
        };
        for (name, value) in &want.headers {
            match header(name) {
                Some(seen) if seen == value || value == "<token>" => {}
                seen => found.push(format!("header {name}: {seen:?}, recorded {value}")),
            }
        }
        for name in [
            "X-Vault-Token",
            "X-Vault-Wrap-TTL",
            "X-Vault-Namespace",
            "Content-Type",
        ] {
            let recorded = want
                .headers
                .keys()
                .any(|key| key.eq_ignore_ascii_case(name));
            if !recorded && header(name).is_some() {
                found.push(format!("header {name}: {:?}, recorded none", header(name)));
            }
        }
    }
}
