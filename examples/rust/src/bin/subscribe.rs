//! Prints every event of the topics that are named as a line of JSON, across reconnects.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Client;
use serde_json::{json, Value};
use sse_stream::{Sse, SseByteStream};
use tideway_example::{back_off, check, run, url, Failure};

struct Subscription {
    client: Client,
    topics: String,
    last_event_id: Option<String>,
    retry: Duration,
    failures: u32,
}

impl Subscription {
    fn on_event(&self, event: &str, data: &str) {
        println!(
            "{}",
            json!({"id": self.last_event_id, "event": event, "data": data})
        );
    }

    /// Events were lost for good: an application would fetch the state of these topics anew.
    fn on_gap(&self, gap: Value) {
        println!("{}", json!({ "gap": gap }));
    }

    /// A block may be without data: `retry:`, and the id with which a stream opens, from which one resumes that
    /// has seen no event yet.
    fn on_block(&mut self, block: Sse) -> Result<(), serde_json::Error> {
        if let Some(milliseconds) = block.retry {
            self.retry = Duration::from_millis(milliseconds);
        }
        if let Some(id) = block.id {
            self.last_event_id = Some(id);
        }
        match (block.event.as_deref(), block.data) {
            (_, None) => {}
            (Some("tideway.gap"), Some(gap)) => self.on_gap(serde_json::from_str(&gap)?),
            (event, Some(data)) => self.on_event(event.unwrap_or("message"), &data),
        }
        Ok(())
    }

    /// One stream; comes back when it ends.
    async fn follow(&mut self) -> Result<(), Failure> {
        let mut request = self
            .client
            .get(url("/v1/stream"))
            .header("accept", "text/event-stream")
            .header("x-sse-topic", &self.topics)
            .header("x-sse-id", "example-rust");
        if let Ok(token) = env::var("TIDEWAY_TOKEN") {
            request = request.bearer_auth(token);
        }
        if let Some(id) = &self.last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = check(request.send().await?).await?;
        eprintln!("connected: {:?}", response.headers()["x-sse-connection-id"]);
        self.failures = 0;
        let mut blocks = SseByteStream::new(response.bytes_stream());
        while let Some(block) = blocks.next().await {
            let block = block.map_err(|error| Failure::Passing(error.to_string()))?;
            self.on_block(block)
                .map_err(|error| Failure::Refused(error.to_string()))?;
        }
        Ok(())
    }
}

async fn follow_topics(client: Client, topics: Vec<String>) -> Result<(), Box<dyn Error>> {
    let mut subscription = Subscription {
        client,
        topics: topics.join(","),
        last_event_id: None,
        retry: Duration::from_secs(3),
        failures: 0,
    };
    loop {
        match subscription.follow().await {
            Ok(()) => back_off(subscription.retry, 0, "the stream ended").await,
            Err(Failure::Passing(reason)) => {
                back_off(subscription.retry, subscription.failures, &reason).await;
                subscription.failures += 1;
            }
            Err(refused) => return Err(refused.into()),
        }
    }
}

fn main() -> ExitCode {
    run(follow_topics)
}
