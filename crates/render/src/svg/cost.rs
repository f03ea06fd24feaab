//! What painting a document will take, reckoned from the shapes before any pixel is made: memory of the layers that are open
//! at the same time, and work. It walks the way that the renderer walks and knows the sizes that it will ask for, so a
//! layer, pattern or filter of any size is refused instead of tried.

use crate::{Limits, RenderError};
use resvg::tiny_skia::{IntRect, IntSize, Path, PathSegment, Point, Rect, Transform};
use resvg::usvg::filter::{Filter, Kind};
use resvg::usvg::{ClipPath, Group, Mask, Node, Paint, Pattern, Stroke, Tree};

/// What may be done, in units of about a nanosecond, which is what a pixel of one colour takes.
const MAX_WORK: f64 = 2.5e9;
/// Bytes of a pixel.
const PIXEL: u64 = 4;
/// What a pixel of a gradient and one of a pattern take.
const GRADIENT: f64 = 4.0;
const PATTERN: f64 = 16.0;
/// What it takes to make, clear and put down a pixel of a layer.
const LAYER: f64 = 12.0;
/// Pixels from the corner of the picture; beyond, the renderer's numbers run over.
const FARTHEST: f32 = 1.0e8;
/// The largest deviation of a blur in pixels, for the same reason.
const MAX_BLUR: f32 = 1.0e6;
/// What it takes to begin a layer, and a filter, however small.
const LAYER_BEGIN: f64 = 15_000.0;
const FILTER_BEGIN: f64 = 30_000.0;
/// What a part of an outline takes, and each line of pixels that it crosses.
const SEGMENT: f64 = 40.0;
const CROSSING: f64 = 8.0;
/// How many parts the outline of a stroked part has.
const STROKED: f64 = 6.0;
/// The most dashes that the renderer makes of one outline, and what one takes.
const MAX_DASHES: f64 = 1_000_000.0;
const DASH: f64 = 400.0;

/// Where something is painted.
#[derive(Clone, Copy)]
struct Canvas {
    width: f64,
    height: f64,
    /// Beyond this no layer goes.
    most: IntRect,
}

struct Cost {
    work: f64,
    /// Bytes that are taken at the moment, and may be.
    memory: u64,
    max_memory: u64,
}

/// Refuses a document whose painting takes too much. Errors: [`RenderError::TooLarge`].
pub(super) fn check(tree: &Tree, transform: Transform, size: IntSize, limits: &Limits) -> Result<(), RenderError> {
    let (width, height) = (size.width(), size.height());
    // Half of the memory, because the document itself and the picture behind it take some too.
    let mut cost = Cost { work: 0.0, memory: 0, max_memory: limits.max_memory / 2 };
    cost.take(u64::from(width) * u64::from(height))?;
    let (right, bottom) = (i32::try_from(width).unwrap_or(i32::MAX), i32::try_from(height).unwrap_or(i32::MAX));
    let most = IntRect::from_xywh(
        right.saturating_mul(-2),
        bottom.saturating_mul(-2),
        width.saturating_mul(5),
        height.saturating_mul(5),
    );
    let most = most.ok_or_else(|| too_large("it is too large"))?;
    cost.nodes(tree.root(), Canvas { width: f64::from(width), height: f64::from(height), most }, transform)
}

fn too_large(why: &str) -> RenderError {
    RenderError::TooLarge(format!("The SVG cannot be made into pixels: {why}."))
}

impl Canvas {
    fn pixels(self) -> f64 {
        self.width * self.height
    }

    /// The same size in whole pixels.
    fn area(self) -> u64 {
        whole(self.pixels())
    }

    /// How many pixels of a box are on it.
    fn covered(self, rect: Option<Rect>) -> f64 {
        let Some(rect) = rect else { return self.pixels() };
        let span = |from: f32, to: f32, side: f64| (f64::from(to).min(side) - f64::from(from).max(0.0) + 2.0).max(0.0);
        span(rect.left(), rect.right(), self.width) * span(rect.top(), rect.bottom(), self.height)
    }
}

impl Cost {
    fn work(&mut self, units: f64) -> Result<(), RenderError> {
        self.work += units;
        // What is no number is too much.
        if self.work <= MAX_WORK { Ok(()) } else { Err(too_large("painting it takes too long")) }
    }

    fn take(&mut self, pixels: u64) -> Result<(), RenderError> {
        self.memory = self.memory.saturating_add(pixels.saturating_mul(PIXEL));
        if self.memory <= self.max_memory { Ok(()) } else { Err(too_large("painting it takes too much memory")) }
    }

    fn give_back(&mut self, pixels: u64) {
        self.memory = self.memory.saturating_sub(pixels.saturating_mul(PIXEL));
    }

    fn nodes(&mut self, group: &Group, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        for node in group.children() {
            self.work(SEGMENT)?;
            match node {
                Node::Group(group) => self.group(group, canvas, transform)?,
                Node::Path(path) => self.path(path, canvas, transform)?,
                Node::Text(text) => self.group(text.flattened(), canvas, transform)?,
                Node::Image(_) => {}
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &Group, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        let transform = transform.pre_concat(group.transform());
        if !group.should_isolate() {
            return self.nodes(group, canvas, transform);
        }
        let Some((layer, most, transform)) = layer(group, canvas, transform) else { return Ok(()) };
        let (width, height) = (f64::from(layer.width()), f64::from(layer.height()));
        let inner = Canvas { width, height, most };
        self.take(inner.area())?;
        self.work(inner.pixels() * LAYER + LAYER_BEGIN)?;
        self.nodes(group, inner, transform)?;
        for filter in group.filters() {
            self.filter(filter, inner, transform)?;
        }
        if let Some(clip) = group.clip_path() {
            self.clip(clip, inner, transform)?;
        }
        if let Some(mask) = group.mask() {
            self.mask(mask, inner, transform)?;
        }
        self.give_back(inner.area());
        Ok(())
    }

    fn path(&mut self, path: &resvg::usvg::Path, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        if !path.is_visible() {
            return Ok(());
        }
        let bounds = path.stroke_bounding_box().transform(transform);
        let is_near =
            |rect: &Rect| [rect.left(), rect.top(), rect.right(), rect.bottom()].iter().all(|at| at.abs() <= FARTHEST);
        if !bounds.as_ref().is_some_and(is_near) {
            return Err(too_large("its shapes are too large"));
        }
        if let Some(fill) = path.fill() {
            let covered = canvas.covered(path.bounding_box().transform(transform));
            self.outline(path.data(), canvas, transform, 1.0)?;
            self.paint(fill.paint(), covered, canvas, transform)?;
        }
        if let Some(stroke) = path.stroke() {
            let covered = canvas.covered(bounds);
            let length = self.outline(path.data(), canvas, transform, STROKED)?;
            let scale = transform.get_scale();
            let width = f64::from(stroke.width().get()) * f64::from(scale.0.max(scale.1)) + 2.0;
            self.dashes(path.data(), stroke)?;
            self.paint(stroke.paint(), covered.min(length * width), canvas, transform)?;
        }
        Ok(())
    }

    /// The lines of an outline; the answer is its length in pixels.
    fn outline(&mut self, path: &Path, canvas: Canvas, transform: Transform, factor: f64) -> Result<f64, RenderError> {
        // Before they are looked at: there may be many.
        self.work(path.len() as f64 * SEGMENT * factor)?;
        let (mut length, mut crossed) = (0.0, 0.0);
        lines(path, |from, to| {
            let (mut from, mut to) = (from, to);
            transform.map_point(&mut from);
            transform.map_point(&mut to);
            length += f64::from(from.distance(to));
            let inside = |point: Point| f64::from(point.y).clamp(0.0, canvas.height);
            crossed += (inside(from) - inside(to)).abs();
        });
        self.work(crossed * CROSSING * factor)?;
        Ok(length)
    }

    fn dashes(&mut self, path: &Path, stroke: &Stroke) -> Result<(), RenderError> {
        let Some(dashes) = stroke.dasharray().filter(|dashes| !dashes.is_empty()) else { return Ok(()) };
        let sum: f64 = dashes.iter().map(|dash| f64::from(dash.abs())).sum();
        let mut length = 0.0;
        lines(path, |from, to| length += f64::from(from.distance(to)));
        let count = length / sum * dashes.len() as f64;
        self.work(if count.is_nan() { MAX_DASHES } else { count.min(MAX_DASHES) } * DASH)
    }

    fn paint(&mut self, paint: &Paint, pixels: f64, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        match paint {
            Paint::Color(_) => self.work(pixels),
            Paint::LinearGradient(gradient) => self.work(pixels * GRADIENT + gradient.stops().len() as f64 * SEGMENT),
            Paint::RadialGradient(gradient) => self.work(pixels * GRADIENT + gradient.stops().len() as f64 * SEGMENT),
            Paint::Pattern(pattern) => {
                self.work(pixels * PATTERN)?;
                self.pattern(pattern, canvas, transform)
            }
        }
    }

    fn pattern(&mut self, pattern: &Pattern, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        let (across, down) = transform.pre_concat(pattern.transform()).get_scale();
        let width = f64::from((pattern.rect().width() * across).round());
        let height = f64::from((pattern.rect().height() * down).round());
        let tile = Canvas { width, height, most: canvas.most };
        self.take(tile.area())?;
        self.work(tile.pixels() + LAYER_BEGIN)?;
        self.nodes(pattern.root(), tile, Transform::from_scale(across, down))?;
        self.give_back(tile.area());
        Ok(())
    }

    fn clip(&mut self, clip: &ClipPath, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        self.take(canvas.area())?;
        self.work(canvas.pixels() * LAYER + LAYER_BEGIN)?;
        self.clip_nodes(clip.root(), canvas, transform.pre_concat(clip.transform()))?;
        if let Some(clip) = clip.clip_path() {
            self.clip(clip, canvas, transform)?;
        }
        // The mask that is made of it.
        self.take(canvas.area().div_ceil(PIXEL))?;
        self.give_back(canvas.area() + canvas.area().div_ceil(PIXEL));
        Ok(())
    }

    fn clip_nodes(&mut self, group: &Group, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        for node in group.children() {
            self.work(SEGMENT)?;
            match node {
                Node::Path(path) => self.path(path, canvas, transform)?,
                Node::Text(text) => self.clip_nodes(text.flattened(), canvas, transform)?,
                Node::Group(group) => {
                    let transform = transform.pre_concat(group.transform());
                    let Some(clip) = group.clip_path() else {
                        self.clip_nodes(group, canvas, transform)?;
                        continue;
                    };
                    self.take(canvas.area())?;
                    self.work(canvas.pixels() * LAYER + LAYER_BEGIN)?;
                    self.clip_nodes(group, canvas, transform)?;
                    self.clip(clip, canvas, transform)?;
                    self.give_back(canvas.area());
                }
                Node::Image(_) => {}
            }
        }
        Ok(())
    }

    fn mask(&mut self, mask: &Mask, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        let taken = canvas.area() + canvas.area().div_ceil(PIXEL) * 2;
        self.take(taken)?;
        self.work(canvas.pixels() * LAYER * 2.0 + LAYER_BEGIN)?;
        self.nodes(mask.root(), canvas, transform)?;
        if let Some(mask) = mask.mask() {
            self.mask(mask, canvas, transform)?;
        }
        self.give_back(taken);
        Ok(())
    }

    /// A filter on a layer. Every step keeps its result until the end.
    fn filter(&mut self, filter: &Filter, canvas: Canvas, transform: Transform) -> Result<(), RenderError> {
        let taken = canvas.area().saturating_mul(filter.primitives().len() as u64 + 4);
        self.take(taken)?;
        let (across, down) = transform.get_scale();
        for primitive in filter.primitives() {
            let per_pixel = match primitive.kind() {
                Kind::Turbulence(step) => 80.0 * f64::from(step.num_octaves()) + 16.0,
                Kind::ConvolveMatrix(step) => {
                    let matrix = step.matrix();
                    5.0 * f64::from(matrix.columns())
                        * f64::from(matrix.rows())
                        * turns(matrix.columns(), matrix.rows(), canvas)
                }
                Kind::Morphology(step) => {
                    let reach = |radius: f32, scale: f32, side: f64| {
                        (f64::from(radius) * f64::from(scale) * 2.0 + 3.0).min(side + 1.0).max(1.0)
                    };
                    let across = reach(step.radius_x().get(), across, canvas.width);
                    3.0 * across * reach(step.radius_y().get(), down, canvas.height)
                }
                Kind::GaussianBlur(step) => blur(step.std_dev_x().get() * across, step.std_dev_y().get() * down)?,
                Kind::DropShadow(step) => blur(step.std_dev_x().get() * across, step.std_dev_y().get() * down)?,
                Kind::DiffuseLighting(_) | Kind::SpecularLighting(_) => 60.0,
                Kind::Merge(step) => 16.0 * (step.inputs().len() as f64 + 1.0),
                Kind::Image(step) => {
                    self.nodes(step.root(), canvas, transform)?;
                    16.0
                }
                _ => 40.0,
            };
            self.work(canvas.pixels() * per_pixel + FILTER_BEGIN)?;
        }
        self.give_back(taken);
        Ok(())
    }
}

/// What a pixel of a blur of these deviations takes, which does not depend on them.
fn blur(across: f32, down: f32) -> Result<f64, RenderError> {
    if across.max(down) <= MAX_BLUR { Ok(100.0) } else { Err(too_large("it is blurred too far")) }
}

/// How often a matrix that is wider than its picture is wrapped around it.
fn turns(columns: u32, rows: u32, canvas: Canvas) -> f64 {
    1.0 + f64::from(columns) / canvas.width.max(1.0) + f64::from(rows) / canvas.height.max(1.0)
}

fn whole(pixels: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of pixels; `as` saturates")]
    {
        pixels.ceil() as u64
    }
}

/// The lines of an outline, with the corners of curves in place of the curves, which are never longer.
fn lines(path: &Path, mut line: impl FnMut(Point, Point)) {
    let (mut start, mut at) = (Point::zero(), Point::zero());
    for segment in path.segments() {
        let mut to = |point: Point| {
            line(at, point);
            at = point;
        };
        match segment {
            PathSegment::MoveTo(point) => {
                start = point;
                at = point;
            }
            PathSegment::LineTo(point) => to(point),
            PathSegment::QuadTo(control, point) => {
                to(control);
                to(point);
            }
            PathSegment::CubicTo(first, second, point) => {
                to(first);
                to(second);
                to(point);
            }
            PathSegment::Close => to(start),
        }
    }
}

/// The layer that the renderer makes of a group: where it is, how far layers inside of it may go, and what is painted on it
/// is transformed by. Nothing when it paints nothing.
fn layer(group: &Group, canvas: Canvas, transform: Transform) -> Option<(IntRect, IntRect, Transform)> {
    let turn = if group.filters().is_empty() {
        Transform::identity()
    } else {
        let across = transform.sx.hypot(transform.ky);
        let down = transform.kx.hypot(transform.sy);
        Transform::from_row(
            transform.sx / across,
            transform.ky / across,
            transform.kx / down,
            transform.sy / down,
            0.0,
            0.0,
        )
    };
    let turn_back = turn.invert()?;
    let most = canvas.most.to_rect().transform(turn_back)?.round_out()?;
    let transform = turn_back.pre_concat(transform);
    let bounds = group.layer_bounding_box().transform(transform)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as the renderer does it; `as` saturates"
    )]
    let bounds = IntRect::from_xywh(
        (bounds.x().floor() as i32).saturating_sub(2),
        (bounds.y().floor() as i32).saturating_sub(2),
        (bounds.width().ceil().max(1.0) as u32).saturating_add(4),
        (bounds.height().ceil().max(1.0) as u32).saturating_add(4),
    )?;
    let layer = IntRect::from_ltrb(
        bounds.left().max(most.left()),
        bounds.top().max(most.top()),
        bounds.right().min(most.right()),
        bounds.bottom().min(most.bottom()),
    )?;
    let shift = Transform::from_translate(-(layer.x() as f32), -(layer.y() as f32));
    Some((layer, most, shift.pre_concat(transform)))
}
