//! What publisher and subscriber share: settings, the HTTP client, when to try again, Ctrl-C.

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fmt, fs};

use reqwest::{Certificate, Client, Response, StatusCode};

/// The gateway sends a heartbeat every 15 s: a stream that is silent for longer than this is dead.
const SILENCE: Duration = Duration::from_secs(60);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Why a request has no answer of success.
#[derive(Debug)]
pub enum Failure {
    /// An answer that would be the same next time: there is no point in trying again.
    Refused(String),
    /// Anything that may go well later.
    Passing(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (Self::Refused(reason) | Self::Passing(reason)) = self;
        f.write_str(reason)
    }
}

impl Error for Failure {}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason += &format!(": {cause}");
            source = cause.source();
        }
        Self::Passing(reason)
    }
}

/// Returns the address of a path of the gateway.
pub fn url(path: &str) -> String {
    let base = env::var("TIDEWAY_URL").unwrap_or_else(|_| "https://127.0.0.1:8443".to_owned());
    format!("{}{path}", base.trim_end_matches('/'))
}

/// Returns an HTTP/2 client that trusts TIDEWAY_CA, or the system's authorities without it.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let mut builder = Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(SILENCE);
    if let Ok(path) = env::var("TIDEWAY_CA") {
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&fs::read(path)?)?);
    }
    Ok(builder.build()?)
}

/// Passes an answer of success on.
pub async fn check(response: Response) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let reason = format!("{status} {}", response.text().await?);
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        Err(Failure::Passing(reason))
    } else {
        Err(Failure::Refused(reason))
    }
}

/// Waits before the next attempt: longer after each failure in a row, and not when all others do.
pub async fn back_off(base: Duration, failures: u32, reason: &str) {
    let delay = (base * 2u32.pow(failures.min(16))).min(BACKOFF_MAX.max(base));
    let delay = delay.mul_f64(1.0 + fastrand::f64() / 2.0);
    eprintln!("trying again in {:.1} s: {reason}", delay.as_secs_f64());
    tokio::time::sleep(delay).await;
}

/// Runs the program to its end or to Ctrl-C, which is a clean end.
pub fn run<F>(program: impl FnOnce(Client, Vec<String>) -> F) -> ExitCode
where
    F: Future<Output = Result<(), Box<dyn Error>>>,
{
    let topics: Vec<String> = env::args().skip(1).collect();
    if topics.is_empty() {
        eprintln!("name at least one topic");
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let result = runtime.block_on(async {
        tokio::select! {
            result = async { program(client()?, topics).await } => result,
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    });
    // A read from standard input that is under way has a thread of its own; nobody waits for it.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
