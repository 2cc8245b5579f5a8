//! reqwest-eventsource; it reconnects by itself.

use futures_util::StreamExt;
use reqwest_eventsource::{Event, EventSource};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut source = EventSource::get(std::env::args().nth(1).expect("a URL"));
    while let Some(event) = source.next().await {
        match event {
            Ok(Event::Open) => {}
            Ok(Event::Message(message)) => {
                tideway_test_clients::show(&message.event, &message.id, &message.data)
            }
            Err(error) => eprintln!("{error}"),
        }
    }
    eprintln!("the stream of events ended");
}
