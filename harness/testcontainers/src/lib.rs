//! A multi-tenant platform as testcontainers images, for other projects' isolation tests.
