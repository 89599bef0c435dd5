#![allow(missing_docs, clippy::unwrap_used)]
use bulkhead_plan::EnvironmentSpec;
use bulkhead_runtime::*;
#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let backend: BackendChoice = args[1].parse().unwrap();
    let n: usize = args[2].parse().unwrap();
    let hold: u64 = args[3].parse().unwrap();
    let spec = EnvironmentSpec::with_tenants("trial".parse().unwrap(), n, 1).unwrap();
    let mut options = StartOptions::for_workspace(std::path::Path::new("/tmp/w/runtime"));
    options.state_root = "/tmp/rt-state".into();
    options.backend = backend;
    if args.get(4).is_some_and(|a| a == "given") {
        options.programs = ProgramSource::Given(bulkhead_runtime::build::Programs {
            agent: "/tmp/t/runtime/x86_64-unknown-linux-gnu/debug/bulkhead-agent".into(),
            poller: "/tmp/t/runtime/x86_64-unknown-linux-gnu/debug/bulkhead-poller".into(),
        });
    }
    if args.get(5).is_some() {
        options.lifetime = Lifetime::Detached;
    }
    options.ready_timeout = std::time::Duration::from_secs(8);
    let events = console::on_stderr();
    let starter = match Starter::new(spec, options).await {
        Ok(s) => s,
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(e.exit_code().into())
        }
    };
    println!("{}", starter.plan());
    let cancel = tokio_util::sync::CancellationToken::new();
    let c = cancel.clone();
    tokio::spawn(async move {
        tokio::signal::ctrl_c().await.unwrap();
        c.cancel()
    });
    let env = match starter.start(&events, &cancel).await {
        Ok(e) => e,
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(e.exit_code().into())
        }
    };
    if args.get(5).is_some() {
        return;
    }
    tokio::select! { () = tokio::time::sleep(std::time::Duration::from_secs(hold)) => {}, () = cancel.cancelled() => {} }
    if hold > 0 {
        use futures::StreamExt;
        let mut l = env.logs(&logs::Selection { last: Some(5), ..Default::default() });
        while let Some(x) = l.next().await {
            println!("{}", console::log_line(console::Look::plain(), &[], &x));
        }
    }
    if let Err(e) = env.down(&events).await {
        eprintln!("{e} {}", e.advice())
    }
}
