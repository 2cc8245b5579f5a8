//! Publishes each line of standard input to the topics that are named, and prints the gateway's answers.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tideway_example::{back_off, check, run, url, Failure};
use tokio::io::{stdin, AsyncBufReadExt, BufReader};

const RETRY: Duration = Duration::from_millis(500);
const TIMEOUT: Duration = Duration::from_secs(10);

struct Publication {
    id: String,
    event: Option<String>,
    data: String,
}

impl Publication {
    /// A JSON object with `data`, and perhaps `id` and `event`, is taken apart; any other line is a payload.
    fn parse(line: String) -> Self {
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        let member = |name: &str| value[name].as_str().map(str::to_owned);
        Self {
            id: member("id").unwrap_or_else(|| format!("{:016x}", fastrand::u64(..))),
            event: member("event"),
            data: member("data").unwrap_or(line),
        }
    }
}

/// The key, or the token in its place.
fn key() -> String {
    let given = |name| env::var(name).ok().filter(|value| !value.is_empty());
    given("TIDEWAY_API_KEY")
        .or_else(|| given("TIDEWAY_TOKEN"))
        .unwrap_or_default()
}

async fn post(client: &Client, topics: &str, publication: &Publication) -> Result<String, Failure> {
    let mut request = client
        .post(url("/v1/publish"))
        .timeout(TIMEOUT)
        .bearer_auth(key())
        .header("content-type", "text/plain; charset=utf-8")
        .header("x-sse-topic", topics)
        .header("x-sse-id", &publication.id)
        .body(publication.data.clone());
    if let Some(event) = &publication.event {
        request = request.header("x-sse-event", event);
    }
    Ok(check(request.send().await?).await?.text().await?)
}

/// Tries until the gateway has answered. A repeat has the same id, so that subscribers can tell.
async fn publish(
    client: &Client,
    topics: &str,
    publication: &Publication,
) -> Result<String, Failure> {
    let mut failures = 0;
    loop {
        match post(client, topics, publication).await {
            Err(Failure::Passing(reason)) => back_off(RETRY, failures, &reason).await,
            result => return result,
        }
        failures += 1;
    }
}

async fn publish_lines(client: Client, topics: Vec<String>) -> Result<(), Box<dyn Error>> {
    let topics = topics.join(",");
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if !line.is_empty() {
            println!(
                "{}",
                publish(&client, &topics, &Publication::parse(line)).await?
            );
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    run(publish_lines)
}
