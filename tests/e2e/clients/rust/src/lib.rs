//! Prints an event as all client programs do.

pub fn show(event: &str, id: &str, data: &str) {
    let event = if event.is_empty() { "message" } else { event };
    let start: String = data.chars().take(99).collect();
    println!("{}", serde_json::json!({"event": event, "id": id, "data": start, "size": data.len()}));
}
