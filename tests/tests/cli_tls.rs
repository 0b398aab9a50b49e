//! The command line over TLS, against a server of another make: `openssl s_server`.
//!
//! Who must be trusted, by which name, and what is said when that fails.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leasehold_tests::built;

const PATH: &str = "v1/auth/token/lookup-self";
const BODY: &str = r#"{"data":{"type":"service"}}"#;

/// A server with a certificate for `localhost` and 127.0.0.1, by an authority of its own.
struct Server {
    folder: PathBuf,
    port: u16,
    process: Child,
}

impl Server {
    fn start() -> Result<Server> {
        let folder = std::env::temp_dir().join(format!("leasehold-tls-{}", std::process::id()));
        fs::create_dir_all(folder.join(PATH).parent().expect("it has one"))?;
        let reply = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{BODY}",
            BODY.len()
        );
        fs::write(folder.join(PATH), reply)?;
        fs::write(
            folder.join("names"),
            "subjectAltName=DNS:localhost,IP:127.0.0.1\n",
        )?;
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        openssl(
            &folder,
            &format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority"),
        )?;
        openssl(
            &folder,
            &format!("req {key} -keyout key.pem -out request.pem -subj /CN=localhost"),
        )?;
        openssl(
            &folder,
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 \
             -extfile names",
        )?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new("openssl")
            .args([
                "s_server", "-quiet", "-HTTP", "-cert", "cert.pem", "-key", "key.pem",
            ])
            .args(["-accept", &format!("127.0.0.1:{port}")])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Server {
            folder,
            port,
            process,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(
                Instant::now() < deadline,
                "openssl s_server does not listen"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn openssl(folder: &Path, arguments: &str) -> Result<()> {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "openssl {arguments}: {said}");
    Ok(())
}

#[test]
fn trusts_only_whom_it_is_told_to_trust() -> Result<()> {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("left out: there is no openssl on this machine");
        return Ok(());
    }
    let server = Server::start()?;
    let program = built::binary()?;
    let check = |flags: &str, variable: Option<(&str, &str)>, expect: Result<(), &str>| {
        let address = format!("https://127.0.0.1:{}", server.port);
        let mut command = Command::new(&program);
        command
            .args(["read", "-field=type"])
            .args(flags.split_whitespace());
        command
            .arg("auth/token/lookup-self")
            .current_dir(&server.folder)
            .env_clear();
        command
            .env("HOME", &server.folder)
            .env("VAULT_ADDR", address)
            .env("VAULT_TOKEN", "x");
        if let Some((name, value)) = variable {
            command.env(name, value);
        }
        let output = command.output().context("the program")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match expect {
            Ok(()) => {
                ensure!(
                    output.status.code() == Some(0),
                    "{flags} {variable:?}: {said}"
                );
                ensure!(output.stdout == b"service", "{flags} {variable:?}");
            }
            Err(words) => {
                ensure!(
                    output.status.code() == Some(2),
                    "{flags} {variable:?} succeeded"
                );
                ensure!(said.contains(words), "{flags} {variable:?}: {said}");
            }
        }
        Ok(())
    };
    check(
        "",
        None,
        Err("Trust the server's authority by -ca-cert=FILE"),
    )?;
    check("-ca-cert=ca.pem", None, Ok(()))?;
    check("-ca-path=.", None, Ok(()))?;
    check("", Some(("BAO_CACERT", "ca.pem")), Ok(()))?;
    check("", Some(("VAULT_CACERT", "ca.pem")), Ok(()))?;
    check("-tls-skip-verify", None, Ok(()))?;
    check("", Some(("VAULT_SKIP_VERIFY", "true")), Ok(()))?;
    check("-ca-cert=ca.pem -tls-server-name=localhost", None, Ok(()))?;
    check(
        "-ca-cert=ca.pem -tls-server-name=other",
        None,
        Err("not valid for name \"other\""),
    )?;
    check(
        "-ca-cert=nosuch.pem",
        None,
        Err("nosuch.pem: no such file or directory"),
    )?;
    check("-ca-path=v1", None, Err("no PEM-encoded certificate"))?;
    check("-client-cert=cert.pem", None, Err("one needs the other"))?;
    Ok(())
}
