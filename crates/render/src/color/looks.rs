//! The forty looks of `filter`. The vendor's are its own and not published; these are ours under the same names: how much colour is left,
//! and a line for each channel.

use super::moves::{Line, Move, Tone};
use stowage_image::operations::FILTERS;

/// A look at full strength.
pub(super) struct Look {
    /// 1 leaves the colours as they are, 0 makes the picture gray.
    saturation: f32,
    /// Red, green, blue.
    lines: [Line; 3],
}

impl Look {
    /// Saturation in percent; for each channel where 0, 64, 128, 191 and 255 go.
    const fn new(saturation: u8, red: [u8; 5], green: [u8; 5], blue: [u8; 5]) -> Self {
        let lines = [Line::through(red), Line::through(green), Line::through(blue)];
        Self { saturation: saturation as f32 / 100.0, lines }
    }

    /// This share of the look; below 0 the difference is taken away, above 1 it is exaggerated.
    pub(super) fn at(&self, share: f32) -> Move {
        if (self.saturation - 1.0).abs() < f32::EPSILON {
            Move::Tones(self.lines.map(|line| Tone::Line(line, share)))
        } else {
            Move::Look(self.saturation, self.lines.map(|line| Tone::Line(line, 1.0)), share)
        }
    }
}

/// The looks, in the order of `stowage_image::operations::FILTERS`.
#[rustfmt::skip]
pub(super) const LOOKS: [Look; FILTERS.len()] = [
    // adaris: clear morning: a little light, a little warmth
    Look::new(110, [0, 72, 138, 202, 255], [0, 68, 134, 198, 253], [4, 64, 126, 188, 246]),
    // briaril: faded print: lifted blacks, soft whites
    Look::new(85, [28, 84, 138, 194, 242], [24, 80, 134, 190, 238], [32, 84, 132, 182, 226]),
    // calarel: late sun: amber lights, brown shadows
    Look::new(105, [6, 76, 148, 214, 255], [4, 64, 130, 194, 248], [6, 52, 106, 162, 220]),
    // carris: crisp: strong contrast, colours as they are
    Look::new(108, [0, 48, 128, 208, 255], [0, 48, 128, 208, 255], [0, 50, 128, 206, 255]),
    // cynarel: lagoon: cyan shadows, cream lights
    Look::new(100, [0, 54, 124, 196, 252], [10, 68, 132, 198, 250], [24, 80, 136, 190, 236]),
    // cyren: north light: cool and bright
    Look::new(95, [0, 60, 124, 190, 246], [0, 66, 132, 198, 252], [8, 76, 144, 208, 255]),
    // elmet: iron: nearly gray, hard, cool
    Look::new(35, [0, 44, 116, 198, 252], [0, 46, 120, 202, 254], [4, 52, 128, 208, 255]),
    // elonni: peach: soft and rosy
    Look::new(92, [18, 86, 150, 210, 255], [10, 70, 132, 194, 246], [16, 72, 130, 188, 238]),
    // enzana: savanna: yellow greens, dry shadows
    Look::new(115, [0, 68, 136, 202, 252], [0, 66, 136, 204, 252], [0, 48, 104, 166, 226]),
    // erydark: dusk: dark, blue blacks
    Look::new(80, [0, 36, 92, 164, 236], [0, 40, 98, 170, 240], [16, 58, 116, 182, 244]),
    // fenralan: marsh: green mids, muted
    Look::new(78, [4, 58, 122, 188, 244], [6, 68, 136, 200, 248], [6, 56, 118, 180, 234]),
    // ferand: slide film: deep colours, deep shadows
    Look::new(135, [0, 52, 126, 204, 255], [0, 52, 124, 202, 255], [0, 50, 122, 200, 255]),
    // galen: plain black and white
    Look::new(0, [0, 64, 128, 192, 255], [0, 64, 128, 192, 255], [0, 64, 128, 192, 255]),
    // gavin: old paper: sepia
    Look::new(0, [20, 88, 150, 208, 250], [14, 74, 132, 190, 238], [6, 56, 106, 162, 214]),
    // gethriel: violet haze
    Look::new(88, [22, 78, 138, 198, 246], [12, 64, 122, 186, 240], [34, 90, 148, 206, 252]),
    // iorill: mint: green lights, soft
    Look::new(90, [12, 70, 130, 190, 240], [18, 78, 140, 202, 250], [16, 74, 136, 196, 244]),
    // iothari: cross process: yellow lights, blue shadows
    Look::new(120, [0, 50, 134, 216, 255], [0, 56, 134, 210, 255], [36, 82, 126, 172, 216]),
    // iselva: forest: deep greens, calm lights
    Look::new(112, [0, 52, 118, 186, 244], [0, 64, 132, 196, 248], [0, 54, 116, 180, 236]),
    // jadis: snow queen: pale, icy
    Look::new(55, [10, 74, 140, 204, 250], [14, 80, 146, 210, 254], [26, 94, 160, 220, 255]),
    // lavra: rust: warm, heavy contrast
    Look::new(104, [4, 60, 146, 220, 255], [0, 48, 120, 200, 250], [0, 40, 98, 170, 232]),
    // misiara: rose water: pink shadows
    Look::new(96, [30, 86, 144, 204, 254], [14, 66, 126, 190, 246], [26, 78, 136, 196, 248]),
    // namala: mist: low contrast, cool grays
    Look::new(62, [40, 92, 138, 184, 228], [44, 96, 142, 188, 232], [50, 102, 148, 194, 238]),
    // nerion: silver: black and white with contrast
    Look::new(0, [0, 40, 124, 212, 255], [0, 40, 124, 212, 255], [0, 40, 124, 212, 255]),
    // nethari: lamplight: orange against teal
    Look::new(118, [0, 62, 144, 218, 255], [4, 64, 130, 196, 248], [20, 70, 120, 170, 224]),
    // pamaya: tropics: bright and vivid
    Look::new(145, [0, 70, 140, 206, 255], [0, 70, 140, 206, 255], [0, 68, 138, 204, 255]),
    // sarnar: desert: faded, sandy
    Look::new(72, [24, 88, 150, 208, 248], [18, 78, 136, 194, 238], [12, 62, 114, 168, 214]),
    // sedis: evening blue
    Look::new(86, [0, 48, 112, 182, 240], [4, 56, 120, 188, 244], [28, 84, 146, 204, 248]),
    // sewen: newsprint: gray with lifted blacks
    Look::new(0, [38, 88, 136, 186, 232], [38, 88, 136, 186, 232], [36, 86, 134, 182, 226]),
    // sorahel: noon: bright, lights nearly white
    Look::new(102, [0, 84, 156, 216, 255], [0, 82, 154, 216, 255], [0, 78, 150, 212, 255]),
    // sorlen: moonlit: blue black and white
    Look::new(0, [0, 50, 112, 180, 240], [4, 58, 122, 190, 246], [16, 76, 142, 206, 255]),
    // tarian: copper: brown and gold
    Look::new(50, [10, 80, 152, 214, 255], [4, 62, 128, 192, 244], [0, 44, 100, 160, 218]),
    // thellassan: deep sea: teal all over
    Look::new(82, [0, 44, 106, 176, 236], [8, 66, 132, 198, 248], [18, 78, 142, 204, 250]),
    // varriel: portrait: soft contrast, warm skin
    Look::new(98, [8, 78, 144, 206, 254], [6, 70, 134, 196, 248], [8, 66, 128, 190, 242]),
    // varven: thunder: dark, drained
    Look::new(45, [0, 34, 96, 172, 240], [0, 36, 100, 176, 242], [2, 42, 106, 180, 244]),
    // vevera: spring: fresh greens, light
    Look::new(125, [0, 70, 136, 200, 252], [4, 76, 144, 208, 255], [0, 66, 130, 194, 246]),
    // virkas: bleach bypass: hard and pale
    Look::new(48, [0, 40, 130, 220, 255], [0, 40, 130, 218, 255], [0, 42, 128, 212, 250]),
    // yedis: yellowed album
    Look::new(70, [26, 86, 146, 204, 246], [24, 82, 140, 196, 238], [18, 64, 112, 160, 204]),
    // yllara: candy: pink lights, vivid
    Look::new(130, [10, 78, 146, 212, 255], [0, 60, 124, 192, 248], [14, 74, 138, 202, 252]),
    // zatvel: ink: blue shadows, white lights
    Look::new(90, [0, 46, 118, 200, 255], [0, 52, 124, 202, 255], [30, 84, 140, 206, 255]),
    // zevcen: ember: red shadows, dim lights
    Look::new(100, [26, 80, 136, 192, 240], [4, 56, 114, 172, 226], [8, 54, 108, 164, 214]),
];
