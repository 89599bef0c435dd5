//! Brings a planned environment up and down: images, containers, processes, readiness, events.
