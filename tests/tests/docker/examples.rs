//! The compose file, the Kubernetes example, what is monitored.

use anyhow::{Context, Result, ensure};
use leasehold_tests::{Cluster, Options, built};
use serde_json::Value;

use super::{dockerfile, is_pinned, text, yaml};

fn one(name: &str) -> Result<Value> {
    let mut documents = yaml::read(&text(name)?).with_context(|| name.to_owned())?;
    ensure!(documents.len() == 1, "{name} has several documents");
    Ok(documents.remove(0))
}

fn map<'a>(value: &'a Value, at: &str) -> Result<&'a serde_json::Map<String, Value>> {
    value
        .pointer(at)
        .and_then(Value::as_object)
        .with_context(|| format!("no map at {at}"))
}

fn list<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value
        .pointer(at)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn word<'a>(value: &'a Value, at: &str) -> Result<&'a str> {
    value
        .pointer(at)
        .and_then(Value::as_str)
        .with_context(|| format!("no text at {at}"))
}

#[test]
fn the_compose_file_is_sound() -> Result<()> {
    let compose = one("docker/compose.yaml")?;
    let stages = dockerfile::read(&text("docker/Dockerfile")?)?;
    let services = map(&compose, "/services")?;
    for (name, service) in services {
        ensure!(is_pinned(word(service, "/image")?), "{name} has no tag");
        let folder = built::top()
            .join("docker")
            .join(word(service, "/build/context")?);
        ensure!(
            folder.join(word(service, "/build/dockerfile")?).exists(),
            "{name} has no Dockerfile"
        );
        let target = word(service, "/build/target")?;
        ensure!(
            stages.iter().any(|stage| stage.name == target),
            "no stage {target}"
        );
        for port in list(service, "/ports") {
            let port = port.as_str().unwrap_or_default();
            ensure!(
                port.starts_with("127.0.0.1:"),
                "{name} publishes {port} to everybody"
            );
        }
        for volume in list(service, "/volumes") {
            let source = volume
                .as_str()
                .unwrap_or_default()
                .split(':')
                .next()
                .unwrap_or_default();
            let declared = map(&compose, "/volumes")?.contains_key(source);
            let beside =
                source.starts_with('.') && built::top().join("docker").join(source).exists();
            ensure!(
                declared || beside,
                "{name} mounts {source}, which is not there"
            );
        }
        for (key, value) in map(service, "/environment")? {
            let value = value.as_str().unwrap_or_default();
            let secret = key.contains("PASSWORD") || value.contains("://");
            ensure!(
                !secret || value.contains("${"),
                "{name} has a secret in {key}"
            );
        }
        ensure!(
            !list(service, "/healthcheck/test").is_empty(),
            "{name} has no health check"
        );
        if service.pointer("/depends_on").is_some() {
            for other in map(service, "/depends_on")?.keys() {
                ensure!(services.contains_key(other), "{name} depends on {other}");
            }
        }
    }
    // It lets requests end, and then its store.
    ensure!(
        word(&compose, "/services/broker/stop_grace_period")? == "30s",
        "the broker is killed while it ends"
    );
    let stock = map(&compose, "/services/postgres/environment")?;
    for name in ["POSTGRES_USER", "POSTGRES_PASSWORD"] {
        ensure!(stock.contains_key(name), "the guide's {name} is not set");
    }
    Ok(())
}

#[test]
fn the_kubernetes_example_hangs_together() -> Result<()> {
    let all = yaml::read(&text("docker/kubernetes.yaml")?)?;
    let kind = |kind: &str| {
        all.iter()
            .find(|one| one["kind"] == kind)
            .with_context(|| format!("no {kind}"))
    };
    let (config, deployment, service) = (kind("ConfigMap")?, kind("Deployment")?, kind("Service")?);
    let pod = "/spec/template";
    let labels = map(deployment, &format!("{pod}/metadata/labels"))?;
    ensure!(
        labels == map(deployment, "/spec/selector/matchLabels")?,
        "the deployment misses its pods"
    );
    ensure!(
        labels == map(service, "/spec/selector")?,
        "the service misses them"
    );
    let container = &list(deployment, &format!("{pod}/spec/containers"))[0];
    ensure!(is_pinned(word(container, "/image")?), "no tag");
    ensure!(
        container["securityContext"]["runAsNonRoot"] == "true",
        "runs as root"
    );
    ensure!(
        service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"],
        "the service asks another port"
    );
    // A store that is away is no reason to start a broker anew; it is one to send it nobody.
    for probe in ["startupProbe", "livenessProbe"] {
        ensure!(
            container[probe].get("tcpSocket").is_some(),
            "{probe} asks more than whether the process listens"
        );
    }
    ensure!(
        container["readinessProbe"]["httpGet"]["path"]
            .as_str()
            .is_some_and(|path| path.starts_with("/v1/sys/health")),
        "nobody asks whether it can serve"
    );
    ensure!(
        deployment.pointer(&format!("{pod}/spec/volumes/0/configMap/name"))
            == config.pointer("/metadata/name"),
        "another configuration"
    );
    let server = word(config, "/data/server.hcl")?;
    for variable in list(container, "/env")
        .iter()
        .filter_map(|one| one["name"].as_str())
    {
        ensure!(
            server.contains(variable) || variable == "LEASEHOLD_PG_CONNECTION_URL",
            "{variable} is read by nobody"
        );
    }
    Ok(())
}

#[test]
fn what_is_monitored_is_there() -> Result<()> {
    let collector = one("docker/monitoring/leasehold.collector.yaml")?;
    let alerts = text("docker/monitoring/alerts.yaml")?;
    let cluster = Cluster::start(Options::default())?;
    cluster.psql("create role exporter login; grant leasehold_reader to exporter")?;
    let mut names = Vec::new();
    for metric in list(&collector, "/metrics") {
        let name = word(metric, "/metric_name")?;
        names.push(name);
        let columns: Vec<&str> = list(metric, "/key_labels")
            .iter()
            .chain(list(metric, "/values"))
            .filter_map(Value::as_str)
            .collect();
        // Reading each column by its name, as the exporter's own login.
        let query = format!(
            "select {} from ({}) q",
            columns.join(", "),
            word(metric, "/query")?
        );
        let rows = cluster
            .psql_as("exporter", "postgres", &query)
            .with_context(|| name.to_owned())?;
        ensure!(!rows.is_empty() && !rows.contains("||"), "{name}: {rows:?}");
    }
    for rule in list(&one("docker/monitoring/alerts.yaml")?, "/groups/0/rules") {
        let asked = word(rule, "/expr")?;
        ensure!(
            names.iter().any(|name| asked.starts_with(*name)),
            "nobody collects what {asked} asks"
        );
    }
    ensure!(
        alerts.contains("leasehold.check()"),
        "violations alert nobody"
    );
    Ok(())
}
