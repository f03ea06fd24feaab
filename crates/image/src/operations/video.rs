//! The grammar behind `gif2video/`: formats of video, and those steps that a video can take.

use std::fmt;

use super::parse::calls;
use super::words::{self, Words, word};
use super::{OperationError, Operations, Quality, Step};

/// What is asked of a video that is made of an animated picture.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct VideoOperations {
    /// `preview`, `resize`, `crop` and `scale_crop`, without smart types, in the order of the URL.
    pub steps: Vec<Step>,
    /// The format of the answer.
    pub format: VideoFormat,
    /// How well it is encoded; never one of the smart qualities, and absent for the normal one.
    pub quality: Option<Quality>,
    /// What `inline/…` asks for.
    pub inline: Option<bool>,
}

/// Formats of video that can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VideoFormat {
    /// H.264 in MP4.
    #[default]
    Mp4,
    /// VP9 in a container of the web.
    Webm,
}

const FORMATS: &Words<VideoFormat> = &[("mp4", VideoFormat::Mp4), ("webm", VideoFormat::Webm)];

impl VideoOperations {
    /// Reads what stands behind `gif2video/`; pieces as for [`Operations::parse`].
    pub fn parse<S: AsRef<str>>(pieces: &[S]) -> Result<Self, OperationError> {
        let mut video = Self::default();
        for mut call in calls(pieces)? {
            match call.name() {
                "format" => video.format = call.word(FORMATS)?,
                "quality" => {
                    let quality = call.word(words::QUALITY)?;
                    if matches!(quality, Quality::Smart | Quality::SmartRetina) {
                        return Err(call.error("of a video is never smart"));
                    }
                    video.quality = Some(quality);
                }
                "inline" => video.inline = Some(call.word(words::YES_NO)?),
                "preview" | "resize" | "crop" | "scale_crop" => {
                    let parsed = Operations::parse(&call.pieces())?;
                    if parsed.steps.iter().any(|step| matches!(step, Step::ScaleCrop { smart: Some(_), .. })) {
                        return Err(call.error("of a video is never smart"));
                    }
                    video.steps.extend(parsed.steps);
                    continue;
                }
                _ => return Err(call.error("is not an operation of `gif2video`")),
            }
            call.end()?;
        }
        Ok(video)
    }
}

impl fmt::Display for VideoOperations {
    /// The canonical form, as that of [`Operations`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(f, "-/{step}/")?;
        }
        write!(f, "-/format/{}/", word(FORMATS, &self.format))?;
        self.quality.iter().try_for_each(|quality| write!(f, "-/quality/{}/", word(words::QUALITY, quality)))
    }
}
