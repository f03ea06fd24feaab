//! MP4 and `QuickTime` written by hand, for what no encoder at hand writes.

use crate::boxes::{boxed, file_type, full};

/// No rotation.
pub(crate) const UPRIGHT: [i32; 4] = [1, 0, 0, 1];

/// A track, of which a test changes what it is about.
#[derive(Clone)]
pub(crate) struct Track {
    pub(crate) id: u32,
    pub(crate) handler: [u8; 4],
    /// The four numbers of the matrix that turn.
    pub(crate) matrix: [i32; 4],
    /// Units of a second, and the duration in units.
    pub(crate) times: (u32, u32),
    /// The description of the samples.
    pub(crate) entry: Vec<u8>,
    /// How many samples last how many units.
    pub(crate) steps: Vec<(u32, u32)>,
    /// The table of sizes, a box.
    pub(crate) sizes: Vec<u8>,
}

/// A second of video in 30 frames of a hundred bytes.
pub(crate) fn pictures(entry: Vec<u8>) -> Track {
    let (times, steps) = ((600, 600), vec![(30, 20)]);
    Track { id: 1, handler: *b"vide", matrix: UPRIGHT, times, entry, steps, sizes: sizes(&[100; 30]) }
}

/// A second of sound in ten pieces of fifty bytes.
pub(crate) fn sound(entry: Vec<u8>) -> Track {
    let (times, steps) = ((48_000, 48_000), vec![(10, 4800)]);
    Track { id: 2, handler: *b"soun", matrix: UPRIGHT, times, entry, steps, sizes: sizes(&[50; 10]) }
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A table of sizes.
pub(crate) fn sizes(of: &[u32]) -> Vec<u8> {
    full(b"stsz", 0, &words(&[&[0, u32::try_from(of.len()).unwrap()], of].concat()))
}

/// A table that says one size for so many samples.
pub(crate) fn same_sizes(size: u32, count: u32) -> Vec<u8> {
    full(b"stsz", 0, &words(&[size, count]))
}

impl Track {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let [a, b, c, d] = self.matrix.map(|number| u32::from_ne_bytes((number << 16).to_ne_bytes()));
        let header = [0, 0, self.id, 0, 0, 0, 0, 0, 0, a, b, 0, c, d, 0, 0, 0, 1 << 30, 320 << 16, 240 << 16];
        let handler = [&[0; 4][..], &self.handler, &[0; 13]].concat();
        let steps: Vec<u32> = self.steps.iter().flat_map(|(count, step)| [*count, *step]).collect();
        let steps = words(&[&[u32::try_from(self.steps.len()).unwrap()], &steps[..]].concat());
        let table = [
            full(b"stsd", 0, &[&words(&[1]), &self.entry[..]].concat()),
            full(b"stts", 0, &steps),
            full(b"stsc", 0, &words(&[0])),
            self.sizes.clone(),
            full(b"stco", 0, &words(&[0])),
        ];
        let media = [
            full(b"mdhd", 0, &words(&[0, 0, self.times.0, self.times.1, 0])),
            full(b"hdlr", 0, &handler),
            boxed(b"minf", &[full(b"nmhd", 0, b""), boxed(b"stbl", &table.concat())].concat()),
        ];
        boxed(b"trak", &[full(b"tkhd", 0, &words(&header)), boxed(b"mdia", &media.concat())].concat())
    }
}

/// The header of a movie with thousand units of a second.
pub(crate) fn header(duration: u32) -> Vec<u8> {
    full(b"mvhd", 0, &words(&[0, 0, 1000, duration]))
}

/// A movie box.
pub(crate) fn moov(header: &[u8], tracks: &[Track], behind: &[u8]) -> Vec<u8> {
    let tracks: Vec<u8> = tracks.iter().flat_map(Track::bytes).collect();
    boxed(b"moov", &[header, &tracks, behind].concat())
}

/// An MP4 of these tracks that lasts a second and has media of 10 kB.
pub(crate) fn movie(tracks: &[Track]) -> Vec<u8> {
    [file_type(b"isom", b"isommp42"), moov(&header(1000), tracks, b""), boxed(b"mdat", &[7; 10_000])].concat()
}

/// The description of pictures.
pub(crate) fn picture_entry(code: &[u8; 4], width: u16, height: u16, extensions: &[u8]) -> Vec<u8> {
    let mut fixed = [0; 78];
    fixed[24..26].copy_from_slice(&width.to_be_bytes());
    fixed[26..28].copy_from_slice(&height.to_be_bytes());
    boxed(code, &[&fixed[..], extensions].concat())
}

/// The description of sound, in `QuickTime`'s first version when it is 1.
pub(crate) fn sound_entry(
    code: &[u8; 4],
    version: u8,
    (channels, bits, rate): (u16, u16, u16),
    extensions: &[u8],
) -> Vec<u8> {
    let mut fixed = vec![0; if version == 1 { 44 } else { 28 }];
    fixed[9] = version;
    fixed[16..18].copy_from_slice(&channels.to_be_bytes());
    fixed[18..20].copy_from_slice(&bits.to_be_bytes());
    fixed[24..26].copy_from_slice(&rate.to_be_bytes());
    boxed(code, &[&fixed[..], extensions].concat())
}

/// The description of linear sound in `QuickTime`'s second version.
pub(crate) fn linear_entry(rate: f64, channels: u32, bits: u32, flags: u32) -> Vec<u8> {
    let mut fixed = vec![0; 64];
    fixed[9] = 2;
    fixed[32..40].copy_from_slice(&rate.to_be_bytes());
    fixed[40..44].copy_from_slice(&channels.to_be_bytes());
    fixed[48..52].copy_from_slice(&bits.to_be_bytes());
    fixed[52..56].copy_from_slice(&flags.to_be_bytes());
    boxed(b"lpcm", &fixed)
}

/// The descriptor of an elementary stream: the type of the object, bits per second, and what its decoder has to know.
pub(crate) fn esds(object: u8, average: u32, config: &[u8]) -> Vec<u8> {
    let tagged = |tag: u8, content: &[u8]| {
        [&[tag, 0x80, 0x80, 0x80, u8::try_from(content.len()).unwrap()][..], content].concat()
    };
    let config = if config.is_empty() { Vec::new() } else { tagged(5, config) };
    let decoder = [&[object, 0x15, 0, 0, 0, 0, 0, 0, 0][..], &average.to_be_bytes(), &config].concat();
    full(b"esds", 0, &tagged(3, &[&[0, 1, 0][..], &tagged(4, &decoder), &tagged(6, &[2])].concat()))
}

/// Declares a bitrate in bits per second.
pub(crate) fn btrt(average: u32) -> Vec<u8> {
    boxed(b"btrt", &words(&[0, 999_000, average]))
}

/// `mvex` with the default duration of the samples of a track and, unless it is 0, the duration of all fragments.
pub(crate) fn mvex(track: u32, step: u32, duration: u32) -> Vec<u8> {
    let mehd = if duration == 0 { Vec::new() } else { full(b"mehd", 0, &words(&[duration])) };
    boxed(b"mvex", &[mehd, full(b"trex", 0, &words(&[track, 1, step, 0, 0]))].concat())
}

/// A fragment of one track. `steps` are the durations of its samples, else `step` is that of all where it is not 0.
pub(crate) fn moof(track: u32, step: u32, steps: &[u32]) -> Vec<u8> {
    let tfhd = if step == 0 { words(&[0, track]) } else { words(&[8, track, step]) };
    let count = u32::try_from(steps.len()).unwrap();
    // With the place of the data, the duration and the size of every sample.
    let samples: Vec<u32> = steps.iter().flat_map(|step| [*step, 5]).collect();
    let trun = if steps.is_empty() { words(&[1, 3, 0]) } else { words(&[&[0x301, count, 0], &samples[..]].concat()) };
    boxed(b"moof", &boxed(b"traf", &[boxed(b"tfhd", &tfhd), boxed(b"trun", &trun)].concat()))
}
