//! The engine from outside: sources made here, operations as URLs write them, answers taken apart by libraries that the engine
//! has no part in.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod cases;
mod colors;
mod facts;
mod formats;
mod geometry;
mod limits;
mod meta;
mod overlays;
mod random;
mod seen;
mod sources;

use seen::Seen;
use stowage_image::operations::Operations;
use stowage_model::FileId;
use stowage_render::{Accept, Job, Options, RenderError, Rendered, render};

/// The operations of a path like `-/preview/-/format/png/`.
fn operations(path: &str) -> Operations {
    let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
    Operations::parse(&pieces).expect(path)
}

/// The id of the file that overlays in tests name.
const LOGO: &str = "11111111-1111-4111-8111-111111111111";

/// How a picture is asked for.
#[derive(Clone, Copy, Default)]
struct Ask<'a> {
    accept: Accept,
    options: Option<Options>,
    /// The bytes of the file [`LOGO`].
    logo: Option<&'a [u8]>,
}

impl<'a> Ask<'a> {
    /// With a file for overlays.
    fn logo(logo: &'a [u8]) -> Self {
        Self { logo: Some(logo), ..Self::default() }
    }

    /// With formats that the request accepts.
    fn accept(avif: bool, webp: bool) -> Self {
        Self { accept: Accept { avif, webp }, ..Self::default() }
    }

    /// With options.
    fn options(options: Options) -> Self {
        Self { options: Some(options), ..Self::default() }
    }

    /// Calls with a job.
    fn job<T>(self, source: &[u8], path: &str, work: impl FnOnce(&Job<'_>) -> T) -> T {
        let operations = operations(path);
        let options = self.options.unwrap_or(Options { text: true, ..Options::default() });
        let id: FileId = LOGO.parse().unwrap();
        let overlays = |asked: FileId| self.logo.filter(|_| asked == id);
        let job =
            Job { source, operations: &operations, overlays: &overlays, accept: self.accept, options: &options, id };
        work(&job)
    }

    fn render(self, source: &[u8], path: &str) -> Result<Rendered, RenderError> {
        self.job(source, path, render)
    }

    fn see(self, source: &[u8], path: &str) -> Seen {
        Seen::new(self.render(source, path).unwrap_or_else(|error| panic!("{path}: {error}")))
    }
}

/// The answer to plain operations.
fn see(source: &[u8], path: &str) -> Seen {
    Ask::default().see(source, path)
}

/// Why plain operations were refused.
fn refusal(source: &[u8], path: &str) -> RenderError {
    Ask::default().render(source, path).expect_err(path)
}
