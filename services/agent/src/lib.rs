//! The tenant's agent: runs checks, answers the platform's poller over mTLS, publishes on its tenant's subjects.
