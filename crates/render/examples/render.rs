//! Renders a file with operations as a URL writes them, for looking at results and for measuring against other engines:
//!
//! ```text
//! cargo run --release -p stowage-render --example render -- photo.jpg '-/resize/400x/-/format/jpeg/' small.jpg 20 avif,webp
//! ```
//!
//! The number says how often it is done, the last word what the request accepts. Overlays name the file itself.

use std::process::ExitCode;
use stowage_image::operations::Operations;
use stowage_model::FileId;
use stowage_render::{Accept, Job, Options, render};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            report(&why);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a tool on the command line")]
fn report(text: &str) {
    eprintln!("{text}");
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [input, path, output, rest @ ..] = arguments else {
        return Err("render INPUT OPERATIONS OUTPUT [TIMES] [avif,webp]".to_owned());
    };
    let source = std::fs::read(input).map_err(|error| format!("{input}: {error}"))?;
    let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
    let operations = Operations::parse(&pieces).map_err(|error| error.to_string())?;
    let times: u32 = rest.first().map_or(Ok(1), |times| times.parse()).map_err(|_| "TIMES is no number".to_owned())?;
    let accepts = |name: &str| rest.get(1).is_some_and(|names| names.split(',').any(|other| other == name));
    let options = Options { text: true, ..Options::default() };
    let itself = |_: FileId| Some(&source[..]);
    let id = "00000000-0000-4000-8000-000000000000".parse().map_err(|_| "no id".to_owned())?;
    let job = Job {
        source: &source,
        operations: &operations,
        overlays: &itself,
        accept: Accept { avif: accepts("avif"), webp: accepts("webp") },
        options: &options,
        id,
    };
    let mut last = None;
    for _ in 0..times.max(1) {
        last = Some(render(&job).map_err(|error| error.to_string())?);
    }
    let Some(rendered) = last else { return Ok(()) };
    std::fs::write(output, &rendered.bytes).map_err(|error| format!("{output}: {error}"))?;
    report(&format!("{} {}x{} {} bytes", rendered.media_type, rendered.width, rendered.height, rendered.bytes.len()));
    Ok(())
}
