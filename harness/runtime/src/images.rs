//! The container images: taken from the engine, from a registry, or assembled here.

pub mod archive;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ImageSummary;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ImportImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions,
};
use bulkhead_plan::Role;
use futures::StreamExt;
use time::OffsetDateTime;

use crate::digest;
use crate::elf::{self, Linkage};
use crate::engine::chain;
use crate::engine::labels::{IMAGE, IMAGE_VERSION};
use crate::nats_binary::{self, NatsBinary, NatsBinaryError, OLDEST_VERSION, Version};
use archive::Recipe;

/// The official images that hold the isolation model, the smallest first.
const OFFICIAL_NATS: [&str; 2] = ["nats:2.15-alpine", "nats:2.15"];
/// A registry that says nothing for so long is treated as absent.
const PULL_SILENCE: Duration = Duration::from_secs(10);
/// How many assembled images of one kind are kept: a few checkouts can alternate without loading again.
const KEPT_IMAGES: usize = 6;

/// Where an image came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The engine had it.
    LocalStore,
    /// A registry gave it just now.
    Registry,
    /// Made here from a program and loaded just now.
    Assembled,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LocalStore => "local store",
            Self::Registry => "registry",
            Self::Assembled => "assembled here",
        })
    }
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The name to create containers from.
    pub reference: String,
    /// Where it came from.
    pub source: Source,
}

/// No image, and no way to get one.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// An image that somebody asked for by name.
    #[error("the {role} image `{reference}` is not in the engine's store, and pulling it failed: {reason}")]
    Override {
        /// For which service.
        role: Role,
        /// What was asked for.
        reference: String,
        /// What the engine said.
        reason: String,
    },
    /// No image of NATS anywhere.
    #[error(
        "no image of nats-server: none of {OFFICIAL_NATS:?} is in the engine's store or can be pulled ({pull}), and {binary}"
    )]
    NoNats {
        /// Why the registry gave none.
        pull: String,
        /// Why none could be assembled.
        binary: NatsBinaryError,
    },
    /// The program needs libraries that an empty image does not have.
    #[error(
        "{program} is linked dynamically (it asks for {loader}) and cannot run in an empty image: RUSTFLAGS or a \
         cargo configuration of yours overrides `+crt-static` of .cargo/config.toml; unset it, or give an image of your own"
    )]
    Dynamic {
        /// The program.
        program: PathBuf,
        /// The loader that it asks for.
        loader: String,
    },
    /// The program is not one for Linux containers.
    #[error(
        "{program} is not a Linux program: build it for Linux (`cargo build --target …-unknown-linux-musl` or in a \
         container) and give images of your own with --image, or use the process backend"
    )]
    NotLinux {
        /// The program.
        program: PathBuf,
    },
    /// The program could not be read.
    #[error("cannot read the program {program}: {error}")]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// The engine refused.
    #[error("the engine refused to {attempt}: {reason}")]
    Engine {
        /// What was asked.
        attempt: String,
        /// What it said.
        reason: String,
    },
}

/// The image for one of the services that are built here, or the one given in its place.
pub async fn of_service(
    docker: &Docker,
    role: Role,
    given: Option<&str>,
    program: &Path,
) -> Result<Image, ImageError> {
    match given {
        Some(reference) => named(docker, role, reference).await,
        None => assembled(docker, &role.to_string(), program, None).await,
    }
}

/// The image of the probe, which is always assembled here.
pub(crate) async fn of_probe(docker: &Docker, program: &Path) -> Result<Image, ImageError> {
    assembled(docker, "probe", program, None).await
}

/// The image of NATS: the one given; else, unless a program is named by [`nats_binary::OVERRIDE_VARIABLE`], what the
/// engine has or can pull; else one assembled from a program.
pub async fn of_nats(docker: &Docker, given: Option<&str>) -> Result<Image, ImageError> {
    if let Some(reference) = given {
        return named(docker, Role::Nats, reference).await;
    }
    let mut pull = format!("not tried: {} is set", nats_binary::OVERRIDE_VARIABLE);
    if std::env::var_os(nats_binary::OVERRIDE_VARIABLE).is_none() {
        if let Some(reference) = stored_nats(docker).await? {
            return Ok(Image { reference, source: Source::LocalStore });
        }
        match pulled(docker, OFFICIAL_NATS[0]).await {
            Ok(()) => {
                return Ok(Image { reference: OFFICIAL_NATS[0].to_owned(), source: Source::Registry });
            }
            Err(reason) => pull = reason,
        }
    }
    match nats_binary::obtain().await {
        Ok(NatsBinary { path, version, .. }) => {
            assembled(docker, &Role::Nats.to_string(), &path, Some(version)).await
        }
        Err(binary) => Err(ImageError::NoNats { pull, binary }),
    }
}

async fn named(docker: &Docker, role: Role, reference: &str) -> Result<Image, ImageError> {
    let reference = reference.to_owned();
    if has(docker, &reference).await {
        return Ok(Image { reference, source: Source::LocalStore });
    }
    match pulled(docker, &reference).await {
        Ok(()) => Ok(Image { reference, source: Source::Registry }),
        Err(reason) => Err(ImageError::Override { role, reference, reason }),
    }
}

async fn has(docker: &Docker, reference: &str) -> bool {
    docker.inspect_image(reference).await.is_ok()
}

/// An official image, else the newest that an earlier run assembled.
async fn stored_nats(docker: &Docker) -> Result<Option<String>, ImageError> {
    let (first, second, own) = tokio::join!(
        has(docker, OFFICIAL_NATS[0]),
        has(docker, OFFICIAL_NATS[1]),
        assembled_earlier(docker, "nats")
    );
    if let Some((_, official)) = [first, second].into_iter().zip(OFFICIAL_NATS).find(|(there, _)| *there) {
        return Ok(Some(official.to_owned()));
    }
    let version = |image: &ImageSummary| Version::from_output(image.labels.get(IMAGE_VERSION)?);
    let usable =
        own?.into_iter().filter_map(|image| Some((version(&image)?, image.repo_tags.into_iter().next()?)));
    let newest = usable.filter(|(version, _)| *version >= OLDEST_VERSION).max();
    Ok(newest.map(|(_, reference)| reference))
}

async fn assembled_earlier(docker: &Docker, kind: &str) -> Result<Vec<ImageSummary>, ImageError> {
    let filters = HashMap::from([("label", vec![format!("{IMAGE}={kind}")])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let refused =
        |error: Error| ImageError::Engine { attempt: "list its images".to_owned(), reason: chain(&error) };
    docker.list_images(Some(options)).await.map_err(refused)
}

async fn pulled(docker: &Docker, reference: &str) -> Result<(), String> {
    // Without a tag the engine would pull every tag of the repository.
    let tagged = reference.rsplit('/').next().is_some_and(|name| name.contains([':', '@']));
    let wanted = if tagged { reference.to_owned() } else { format!("{reference}:latest") };
    let options = CreateImageOptionsBuilder::default().from_image(&wanted).build();
    let mut progress = docker.create_image(Some(options), None, None);
    loop {
        match tokio::time::timeout(PULL_SILENCE, progress.next()).await {
            Err(_) => return Err(format!("the registry said nothing for {} s", PULL_SILENCE.as_secs())),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(chain(&error)),
            Ok(Some(Ok(_))) => {}
        }
    }
}

async fn assembled(
    docker: &Docker,
    kind: &str,
    program: &Path,
    version: Option<Version>,
) -> Result<Image, ImageError> {
    let unreadable = |error| ImageError::Program { program: program.to_owned(), error };
    let digest = digest::of_program(program).map_err(unreadable)?;
    let mut labels = BTreeMap::from([(IMAGE.to_owned(), kind.to_owned())]);
    labels.extend(version.map(|version| (IMAGE_VERSION.to_owned(), version.to_string())));
    let repository = format!("bulkhead-{kind}");
    let recipe =
        Recipe { repository: &repository, program, labels, created: modified(program).map_err(unreadable)? };
    let reference = recipe.reference(&digest);
    if has(docker, &reference).await {
        return Ok(Image { reference, source: Source::LocalStore });
    }
    refuse_what_cannot_run(program)?;
    let archive = recipe.archive(&digest).map_err(unreadable)?;
    load(docker, &reference, archive).await?;
    forget_older(docker, kind, &reference).await;
    Ok(Image { reference, source: Source::Assembled })
}

fn modified(program: &Path) -> std::io::Result<OffsetDateTime> {
    Ok(std::fs::metadata(program)?.modified()?.into())
}

fn refuse_what_cannot_run(program: &Path) -> Result<(), ImageError> {
    let program = program.to_owned();
    match elf::linkage(&program) {
        Ok(Linkage::Static) => Ok(()),
        Ok(Linkage::Dynamic { loader }) => Err(ImageError::Dynamic { program, loader }),
        Ok(Linkage::NotLinux) => Err(ImageError::NotLinux { program }),
        Err(error) => Err(ImageError::Program { program, error }),
    }
}

async fn load(docker: &Docker, reference: &str, archive: Vec<u8>) -> Result<(), ImageError> {
    let refused = |reason| ImageError::Engine { attempt: format!("load the image {reference}"), reason };
    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    let mut progress = docker.import_image(options, bollard::body_full(archive.into()), None);
    while let Some(step) = progress.next().await {
        step.map_err(|error| refused(chain(&error)))?;
    }
    match has(docker, reference).await {
        true => Ok(()),
        false => Err(refused("it said it did, and does not have it".to_owned())),
    }
}

/// Removes the oldest assembled images of one kind. One that a container still uses stays, and that is no error.
async fn forget_older(docker: &Docker, kind: &str, current: &str) {
    let Ok(mut images) = assembled_earlier(docker, kind).await else { return };
    images.sort_by_key(|image| std::cmp::Reverse(image.created));
    let old = images.into_iter().skip(KEPT_IMAGES).flat_map(|image| image.repo_tags);
    for reference in old.filter(|reference| reference != current) {
        let _ = docker.remove_image(&reference, None::<RemoveImageOptions>, None).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_that_needs_libraries_goes_into_no_image() {
        // The shell of a distribution is linked dynamically.
        let error = refuse_what_cannot_run(Path::new("/bin/sh")).unwrap_err().to_string();
        assert!(error.contains("/bin/sh is linked dynamically") && error.contains("+crt-static"), "{error}");
        refuse_what_cannot_run(&std::env::current_exe().unwrap()).unwrap();
    }
}
