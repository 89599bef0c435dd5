//! An isolation test in ten lines: `cargo run -p bulkhead-testcontainers --example ten_lines`.

use bulkhead_testcontainers::{Platform, Verdict};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let platform = Platform::with_tenants(["acme", "globex"]).messages_only().start().await?;
    let mut acme = platform.tenant("acme")?.session().await?;
    let mut globex = platform.tenant("globex")?.session().await?;
    let results = acme.subscribe("acme.>", None).await.allowed()?;
    println!("globex listens:   {}", globex.subscribe("acme.>", None).await.refused()?);
    println!("globex publishes: {}", globex.publish("acme.agents.status", "forged").await.refused()?);
    acme.publish("acme.agents.status", "genuine").await.allowed()?;
    let message = acme.next(results, |_| true).await.allowed()?;
    println!("acme receives:    {} on {}", message.text(), message.subject);
    assert_eq!(message.text(), "genuine");
    Ok(())
}
