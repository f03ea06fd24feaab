//! The content rules of a project: types, scripts in SVG files, viruses; in this order, the first failure counts.

use std::io::{self, Read};
use std::sync::Arc;

use stowage_image::{Probe, SvgFault};
use stowage_model::{BlobKey, Project, media_type};
use stowage_store::blobs::Finished;

use super::scan::scan;
use super::{Intake, IntakeError, Received};

/// The detected type of an SVG.
const SVG: &str = "image/svg+xml";

/// Content that is complete, and where it can be read.
pub(crate) enum Content<'a> {
    /// Bytes that have just arrived.
    Received(&'a Finished),
    /// A blob of this length.
    Kept(&'a BlobKey, u64),
}

impl Intake {
    /// Whether a project takes what was received and declared to be of this type.
    pub(crate) async fn check(
        &self,
        project: &Project,
        received: &Received,
        declared: Option<&str>,
    ) -> Result<(), IntakeError> {
        self.check_content(project, &received.probe, declared, Content::Received(&received.finished)).await
    }

    /// Whether a project takes content that was probed, and declared to be of a type.
    pub(crate) async fn check_content(
        &self,
        project: &Project,
        probe: &Probe,
        declared: Option<&str>,
        content: Content<'_>,
    ) -> Result<(), IntakeError> {
        let mime = &probe.content.mime.mime;
        if !project.settings.allows_type(mime) {
            return Err(IntakeError::TypeForbidden);
        }
        let failed = |error: io::Error| IntakeError::Blobs(error.into());
        // Declared as one, it is delivered as one, and a browser may read what the detection does not (UTF-16).
        let is_svg = mime == SVG || declared.is_some_and(|declared| media_type::essence(declared) == SVG);
        if project.settings.svg_validation && is_svg {
            let reader = self.open(&content).await?;
            let checked = tokio::task::spawn_blocking(move || stowage_image::check_svg(reader)).await;
            match checked.unwrap_or_else(|crash| Err(SvgFault::Io(io::Error::other(crash)))) {
                Ok(()) => {}
                Err(SvgFault::Invalid(what)) => return Err(IntakeError::SvgInvalid(what)),
                Err(SvgFault::Malicious(what)) => return Err(IntakeError::SvgMalicious(what)),
                Err(SvgFault::Io(error)) => return Err(failed(error)),
            }
        }
        if !self.scan.command.is_empty() {
            let mut reader = self.open(&content).await?;
            let options = Arc::clone(&self.scan);
            let turn = Arc::clone(&self.scans).acquire_owned().await;
            let scanned = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                scan(&options, &mut reader)
            })
            .await;
            match scanned.unwrap_or_else(|crash| Err(io::Error::other(crash))) {
                Ok(None) => {}
                Ok(Some(virus)) => return Err(IntakeError::Infected(virus)),
                Err(error) => return Err(IntakeError::Scan(error)),
            }
        }
        Ok(())
    }

    async fn open(&self, content: &Content<'_>) -> Result<Box<dyn Read + Send>, IntakeError> {
        Ok(match content {
            Content::Received(finished) => {
                Box::new(finished.reader().map_err(|error| IntakeError::Blobs(error.into()))?)
            }
            Content::Kept(key, size) => Box::new(self.blobs.reader(key, *size).await?),
        })
    }
}
