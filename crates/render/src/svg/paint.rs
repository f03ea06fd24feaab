//! From a document to pixels, on a thread of its own: the renderer calls itself for every element inside of another, so its
//! stack has to suffice for the deepest document that is let through, whoever asks.

use super::{clean, cost};
use crate::geometry::Dimensions;
use crate::text::fonts;
use crate::{Limits, RenderError, geometry};
use resvg::tiny_skia::{IntSize, Pixmap, Transform};
use resvg::usvg::{ImageHrefResolver, Options, Tree};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use stowage_codecs::{Bitmap, Layout};

/// Address space; only what is used becomes memory.
const STACK: usize = 64 * 1024 * 1024;
/// After this long nobody waits any more. What is painted is bounded before, so only a busy machine takes that long, and the
/// thread ends soon by itself.
const TIME: Duration = Duration::from_secs(5);
/// Threads at the same time, those for which nobody waits included: at least so many, and for each processor.
const MIN_THREADS: usize = 32;
const THREADS_EACH: usize = 4;

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Makes pixels of a document, transparent where nothing is painted: just large enough to cover the size `at_least`, whether
/// that is smaller or larger than the document's own size, which it has without. Errors: [`RenderError::Damaged`],
/// [`RenderError::TooLarge`] also for what would take too long on any machine, [`RenderError::Busy`], [`RenderError::Failed`].
pub(crate) fn rasterize(bytes: &[u8], at_least: Option<Dimensions>, limits: &Limits) -> Result<Bitmap, RenderError> {
    if bytes.len() as u64 > limits.max_svg_bytes {
        return Err(RenderError::TooLarge("The SVG is too large to be made into pixels.".to_owned()));
    }
    let counted = Counted::new().ok_or(RenderError::Busy)?;
    let (bytes, limits) = (bytes.to_vec(), *limits);
    let (sender, receiver) = sync_channel(1);
    let work = move || {
        let _counted = counted;
        let result = catch_unwind(AssertUnwindSafe(|| paint(&bytes, at_least, &limits)));
        let result = result.unwrap_or_else(|_| Err(RenderError::Damaged("the SVG cannot be painted".to_owned())));
        // Nobody may be waiting any more.
        let _ = sender.send(result);
    };
    let failed = |_| RenderError::Failed("no thread for an SVG".to_owned());
    thread::Builder::new().name("svg".to_owned()).stack_size(STACK).spawn(work).map_err(failed)?;
    receiver.recv_timeout(TIME).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Err(RenderError::Busy),
        RecvTimeoutError::Disconnected => Err(RenderError::Failed("the thread of an SVG ended".to_owned())),
    })
}

/// One of the threads.
struct Counted;

impl Counted {
    fn new() -> Option<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        if THREADS.fetch_add(1, Ordering::Relaxed) >= MIN_THREADS.max(processors * THREADS_EACH) {
            THREADS.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

fn paint(bytes: &[u8], at_least: Option<Dimensions>, limits: &Limits) -> Result<Bitmap, RenderError> {
    let text = decode(bytes);
    let root = super::find(&text)?;
    let (width, height) = target(root.size, at_least);
    limits.check_step((width, height))?;
    let document = clean::clean(&text, &root, limits)?;
    let damaged = || RenderError::Damaged("the SVG cannot be read".to_owned());
    let tree = Tree::from_str(&document, &options(document.contains("<text"))).map_err(|_| damaged())?;
    let transform = Transform::from_scale(width as f32 / tree.size().width(), height as f32 / tree.size().height());
    let size = IntSize::from_wh(width, height).ok_or_else(damaged)?;
    cost::check(&tree, transform, size, limits)?;
    let mut pixmap = Pixmap::new(width, height).ok_or_else(damaged)?;
    resvg::render(&tree, transform, &mut pixmap.as_mut());
    Ok(Bitmap { width, height, layout: Layout::Rgba, data: pixmap.take_demultiplied() })
}

/// The size to paint at.
fn target((width, height): (f64, f64), at_least: Option<Dimensions>) -> Dimensions {
    let scale =
        at_least.map_or(1.0, |(to_width, to_height)| (f64::from(to_width) / width).max(f64::from(to_height) / height));
    (geometry::pixels(width * scale), geometry::pixels(height * scale))
}

/// The document as text. What is not UTF-8 is nearly always Latin-1, in which every byte is a character.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// No files, no pictures, no fonts but ours.
fn options(has_text: bool) -> Options<'static> {
    let mut options = Options {
        font_family: "DejaVu Sans".to_owned(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    if has_text {
        options.fontdb = Arc::clone(fonts::database());
    }
    options
}
