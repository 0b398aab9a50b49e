//! The images and examples of docker/. No container engine is asked: the files are read strictly, and what they would do
//! inside an image is done in a scratch root: the install script, the first start's script, the broker's configuration.

mod dockerfile;
mod examples;
mod scratch;
mod yaml;

use anyhow::{Context, Result, ensure};
use leasehold_tests::built;
use std::process::Command;

fn text(name: &str) -> Result<String> {
    let path = built::top().join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// A tag that says which image it is.
fn is_pinned(image: &str) -> bool {
    image
        .split_once(':')
        .is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest")
}

/// Whether a build sees it: it is there, and .dockerignore does not hide it.
fn in_context(path: &str) -> Result<bool> {
    Ok(!is_hidden(path)? && built::top().join(path).exists())
}

/// Patterns are from the top, but for those that begin with `**/`, which hold in any folder. A star stands once, in a name.
fn is_hidden(path: &str) -> Result<bool> {
    let fits = |name: &str, pattern: &str| match pattern.split_once('*') {
        Some((begin, end)) => name
            .strip_prefix(begin)
            .is_some_and(|rest| rest.ends_with(end)),
        None => name == pattern,
    };
    let ignored = text(".dockerignore")?;
    Ok(ignored
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .any(|line| match line.strip_prefix("**/") {
            Some(pattern) => path.split('/').any(|name| fits(name, pattern)),
            None => path == line || path.starts_with(&format!("{line}/")),
        }))
}

#[test]
fn no_build_sees_a_file_of_secrets() -> Result<()> {
    // Compose reads the one beside its file.
    for path in [".env", "docker/.env", "docker/.env.local", "target/x"] {
        ensure!(is_hidden(path)?, "a build sees {path}");
    }
    ensure!(!is_hidden("broker/src/main.rs")?, "a build sees no source");
    Ok(())
}

#[test]
fn the_dockerfile_is_sound() -> Result<()> {
    let stages = dockerfile::read(&text("docker/Dockerfile")?)?;
    for (at, stage) in stages.iter().enumerate() {
        let earlier = |name: &str| stages[..at].iter().any(|stage| stage.name == name);
        ensure!(
            earlier(&stage.image) || is_pinned(&stage.image),
            "{} has no tag",
            stage.image
        );
        for rest in stage.all("COPY") {
            let copy = dockerfile::copy(rest)?;
            ensure!(
                copy.target.starts_with('/') || copy.target == ".",
                "where to? COPY {rest}"
            );
            match copy.from {
                Some(from) => ensure!(earlier(from), "no stage {from} before: COPY {rest}"),
                None => {
                    for source in copy.sources {
                        ensure!(in_context(source)?, "not in the context: {source}");
                    }
                }
            }
        }
        for rest in stage.all("ENTRYPOINT").chain(stage.all("CMD")) {
            serde_json::from_str::<Vec<String>>(rest).with_context(|| rest.to_owned())?;
        }
        for rest in stage
            .all("RUN")
            .filter(|run| run.contains("apt-get install"))
        {
            ensure!(
                rest.contains("--no-install-recommends")
                    && rest.contains("rm -rf /var/lib/apt/lists"),
                "leaves litter: {rest}"
            );
        }
        for rest in stage.all("ENV") {
            ensure!(
                !rest.to_uppercase().contains("PASSWORD"),
                "a secret in an image: {rest}"
            );
        }
    }
    let named = |name: &str| {
        stages
            .iter()
            .find(|stage| stage.name == name)
            .context(name.to_owned())
    };
    let broker = named("broker")?;
    let user = broker.all("USER").last().context("no USER: root")?;
    ensure!(user.parse::<u32>().is_ok_and(|uid| uid > 0), "USER {user}");
    ensure!(broker.all("HEALTHCHECK").count() == 1, "no health check");
    ensure!(
        named("builder")?
            .all("RUN")
            .any(|run| run.starts_with("cargo xtask install --root=")),
        "one script installs, here too"
    );
    let postgres = named("postgres")?;
    ensure!(
        postgres
            .all("RUN")
            .any(|run| run.contains("shared_preload_libraries = 'leasehold'")),
        "not preloaded"
    );
    ensure!(
        postgres
            .all("COPY")
            .any(|copy| copy.contains("docker/initdb.sh /docker-entrypoint-initdb.d/")),
        "no extension is created"
    );
    Ok(())
}

#[test]
fn hadolint_has_nothing_to_say() -> Result<()> {
    let hadolint = built::client("python/bin/hadolint")?;
    if !hadolint.exists() {
        println!(
            "left out: no {} (cargo xtask test installs it where python3 is)",
            hadolint.display()
        );
        return Ok(());
    }
    let output = Command::new(hadolint)
        .arg(built::top().join("docker/Dockerfile"))
        .output()?;
    ensure!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
