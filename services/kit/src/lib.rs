//! What agent and poller share: mTLS listener and dialer, NATS link, configuration, logs, audit records, signals.
