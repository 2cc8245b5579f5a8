//! eventsource-client by LaunchDarkly; it reconnects by itself.

use eventsource_client::{Client, ClientBuilder, ReconnectOptions, SSE};
use futures_util::TryStreamExt;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let options = ReconnectOptions::reconnect(true)
        .retry_initial(true)
        .delay(Duration::from_millis(200))
        .build();
    let client = ClientBuilder::for_url(&url)
        .expect("a valid URL")
        .reconnect(options)
        .build_http();
    let mut stream = client.stream();
    loop {
        match stream.try_next().await {
            Ok(Some(SSE::Event(event))) => tideway_test_clients::show(
                &event.event_type,
                event.id.as_deref().unwrap_or(""),
                &event.data,
            ),
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => eprintln!("{error}"),
        }
    }
    eprintln!("the stream of events ended");
}
