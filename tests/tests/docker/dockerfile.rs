//! A Dockerfile as a list of stages, strictly.

use anyhow::{Context, Result, bail, ensure};

/// What follows a `FROM`.
pub struct Stage {
    pub image: String,
    pub name: String,
    pub steps: Vec<Step>,
}

/// One instruction.
pub struct Step {
    pub word: String,
    pub rest: String,
}

impl Stage {
    /// Instructions of one kind, in order.
    pub fn all(&self, word: &str) -> impl Iterator<Item = &str> {
        self.steps
            .iter()
            .filter(move |step| step.word == word)
            .map(|step| step.rest.as_str())
    }
}

/// A `COPY`: flags, sources, target.
pub struct Copy<'a> {
    pub from: Option<&'a str>,
    pub sources: Vec<&'a str>,
    pub target: &'a str,
}

pub fn read(text: &str) -> Result<Vec<Stage>> {
    let mut stages: Vec<Stage> = Vec::new();
    for line in joined(text)? {
        let (word, rest) = line.split_once(' ').context("an instruction alone")?;
        let rest = rest.trim().to_owned();
        if word == "FROM" {
            let [image, "AS", name] = rest.split(' ').collect::<Vec<_>>()[..] else {
                bail!("every stage has a name: FROM {rest}")
            };
            stages.push(Stage {
                image: image.to_owned(),
                name: name.to_owned(),
                steps: Vec::new(),
            });
            continue;
        }
        let known = [
            "CMD",
            "COPY",
            "ENTRYPOINT",
            "ENV",
            "EXPOSE",
            "HEALTHCHECK",
            "RUN",
            "USER",
            "VOLUME",
            "WORKDIR",
        ];
        ensure!(known.contains(&word), "{word} is not used here");
        let stage = stages.last_mut().context("an instruction before FROM")?;
        stage.steps.push(Step {
            word: word.to_owned(),
            rest,
        });
    }
    Ok(stages)
}

pub fn copy(rest: &str) -> Result<Copy<'_>> {
    let mut from = None;
    let mut paths = Vec::new();
    for word in rest.split_whitespace() {
        match word.strip_prefix("--") {
            None => paths.push(word),
            Some(flag) if flag.starts_with("chmod=") => {}
            Some(flag) => from = Some(flag.strip_prefix("from=").context("a flag of COPY")?),
        }
    }
    let target = paths.pop().context("a target")?;
    ensure!(!paths.is_empty(), "COPY {rest} has no source");
    Ok(Copy {
        from,
        sources: paths,
        target,
    })
}

/// Lines without comments, those that end in a backslash with the next.
fn joined(text: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(part) => open.push_str(part),
            None => lines.push(std::mem::take(&mut open) + line),
        }
    }
    ensure!(open.is_empty(), "the last line ends in a backslash");
    Ok(lines)
}
