/**
 * Follows topics with EventSource. ?gateway=URL&topic=NAME (repeatable) fills the form in and subscribes at once.
 *
 * EventSource reconnects by itself when a connection breaks: after what `retry:` says, and with Last-Event-ID, also the
 * id with which a stream opens. It gives up when the gateway answers with an error, as an overloaded one does;
 * then a new EventSource begins after a pause, where the old one was.
 */
const RETRY_MS = 3000;
const BACKOFF_MAX_MS = 30_000;
const ROWS_MAX = 500;

const page = {
  subscribe: document.querySelector("#subscribe"),
  publish: document.querySelector("#publish"),
  state: document.querySelector("#state"),
  answer: document.querySelector("#answer"),
  events: document.querySelector("#events"),
};

/** Events with a type of their own come to listeners of that type only: name here what publishers use. */
const EVENT_TYPES = ["message", ...new URLSearchParams(location.search).getAll("event")];

function show(id, type, data, className = "") {
  const row = document.createElement("tr");
  row.className = className;
  for (const text of [id, type, data]) row.insertCell().textContent = text;
  page.events.append(row);
  while (page.events.rows.length > ROWS_MAX) page.events.rows[0].remove();
}

class Subscription {
  #gateway;
  #topics;
  #source;
  #timer;
  #lastEventId = "";
  #failures = 0;

  constructor(gateway, topics) {
    this.#gateway = gateway;
    this.#topics = topics;
    this.#open();
  }

  close() {
    clearTimeout(this.#timer);
    this.#source.close();
  }

  #open() {
    const url = new URL("/v1/stream", this.#gateway);
    for (const topic of this.#topics) url.searchParams.append("topic", topic);
    url.searchParams.set("id", "example-browser");
    if (this.#lastEventId) url.searchParams.set("lastEventId", this.#lastEventId);

    this.#source = new EventSource(url);
    this.#source.onopen = () => {
      this.#failures = 0;
      page.state.textContent = "connected";
    };
    this.#source.onerror = () => this.#onError();
    for (const type of EVENT_TYPES)
      this.#source.addEventListener(type, (event) => this.#onEvent(event));
    this.#source.addEventListener("tideway.gap", (event) => this.#onGap(JSON.parse(event.data)));
  }

  #onEvent({ lastEventId, type, data }) {
    this.#lastEventId = lastEventId;
    show(lastEventId, type, data);
  }

  /** Events were lost for good: an application would fetch the state of these topics anew. */
  #onGap({ reason, topics }) {
    show("", "gap", `${reason}: ${topics.join(", ")}`, "gap");
  }

  #onError() {
    page.state.textContent = "connecting";
    if (this.#source.readyState !== EventSource.CLOSED) return;
    const delay = Math.min(RETRY_MS * 2 ** this.#failures++, BACKOFF_MAX_MS);
    this.#timer = setTimeout(() => this.#open(), delay * (1 + Math.random() / 2));
  }
}

let subscription;

function subscribe() {
  const { gateway, topics } = Object.fromEntries(new FormData(page.subscribe));
  subscription?.close();
  subscription = new Subscription(
    gateway,
    topics.split(",").map((topic) => topic.trim()),
  );
}

/** For demonstrations: a key that a page knows is known to everybody who can open the page. */
async function publish({ key, id, event, data }) {
  const { gateway, topics } = Object.fromEntries(new FormData(page.subscribe));
  const response = await fetch(new URL("/v1/publish", gateway), {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "x-sse-topic": topics,
      "x-sse-id": id || crypto.randomUUID(),
      ...(event && { "x-sse-event": event }),
    },
    body: data,
  });
  return response.text();
}

page.subscribe.addEventListener("submit", (event) => {
  event.preventDefault();
  subscribe();
});

page.publish.addEventListener("submit", async (event) => {
  event.preventDefault();
  const publication = Object.fromEntries(new FormData(page.publish));
  page.answer.textContent = await publish(publication).catch((error) => error.message);
});

const query = new URLSearchParams(location.search);
page.subscribe.elements.gateway.value = query.get("gateway") ?? "https://127.0.0.1:8443";
page.subscribe.elements.topics.value = query.getAll("topic").join(",");
if (query.has("topic")) subscribe();
