//! The platform's poller: dials every tenant's agents, publishes and stores what they say, audits each access.
