//! The fonts that texts are written in, also those of SVGs: six families, brought along, so that a picture looks the same
//! wherever it is made and no file of the machine is ever opened for it.

use resvg::usvg::fontdb::{Database, FaceInfo, Style, Weight};
use std::sync::{Arc, OnceLock};
use stowage_image::operations::Family;

/// What `fonts/pack.py` makes of the files.
const PACKED: [&[u8]; 2] = [include_bytes!("../../fonts/dejavu.zst"), include_bytes!("../../fonts/noto.zst")];

/// All fonts; unpacked when they are asked for first, and kept.
pub(crate) fn database() -> &'static Arc<Database> {
    static DATABASE: OnceLock<Arc<Database>> = OnceLock::new();
    DATABASE.get_or_init(|| {
        let mut database = Database::new();
        for packed in PACKED {
            if load(&mut database, packed).is_none() {
                tracing::error!("fonts that came along cannot be unpacked");
            }
        }
        name_families(&mut database);
        Arc::new(database)
    })
}

/// The same fonts in another order: for a letter that a font has not got, the first font that has it is taken, and here that is
/// one of the same style where there is one.
pub(super) fn ordered(bold: bool, italic: bool) -> &'static Arc<Database> {
    static ORDERED: [OnceLock<Arc<Database>>; 4] = [const { OnceLock::new() }; 4];
    ORDERED[usize::from(bold) * 2 + usize::from(italic)].get_or_init(|| {
        let mut faces: Vec<FaceInfo> = database().faces().cloned().collect();
        faces.sort_by_key(|face| {
            let is_bold = face.weight.0 >= Weight::BOLD.0;
            let is_italic = face.style != Style::Normal;
            (is_italic != italic, is_bold != bold)
        });
        let mut database = Database::new();
        for face in faces {
            database.push_face_info(face);
        }
        name_families(&mut database);
        Arc::new(database)
    })
}

fn name_families(database: &mut Database) {
    database.set_sans_serif_family("DejaVu Sans");
    database.set_serif_family("DejaVu Serif");
    database.set_monospace_family("DejaVu Sans Mono");
    database.set_cursive_family("DejaVu Serif");
    database.set_fantasy_family("DejaVu Sans");
}

/// The name of a family inside of its files.
pub(super) fn name(family: Family) -> &'static str {
    match family {
        Family::DejaVu => "DejaVu Sans",
        Family::DejaVuMono => "DejaVu Sans Mono",
        Family::DejaVuSerif => "DejaVu Serif",
        Family::Noto => "Noto Sans",
        Family::NotoMono => "Noto Sans Mono",
        Family::NotoSerif => "Noto Serif",
    }
}

/// Whether a family has no italic files, so that its letters have to be slanted.
pub(super) fn is_slanted(family: Family) -> bool {
    family == Family::NotoMono
}

fn load(database: &mut Database, packed: &[u8]) -> Option<()> {
    let len = zstd_safe::get_frame_content_size(packed).ok()??;
    let mut plain = Vec::with_capacity(usize::try_from(len).ok()?);
    zstd_safe::decompress(&mut plain, packed).ok()?;
    let mut rest = plain.as_slice();
    while let Some((len, behind)) = rest.split_first_chunk() {
        let (file, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
        database.load_font_data(file.to_vec());
        rest = behind;
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use resvg::usvg::fontdb::Query;

    #[test]
    fn every_family_has_its_styles() {
        let database = database();
        assert_eq!((database.len(), ordered(true, false).len()), (22, 22));
        let families = [
            Family::DejaVu,
            Family::DejaVuMono,
            Family::DejaVuSerif,
            Family::Noto,
            Family::NotoMono,
            Family::NotoSerif,
        ];
        for family in families {
            for (weight, style) in
                [(400, Style::Normal), (700, Style::Normal), (400, Style::Italic), (700, Style::Italic)]
            {
                let families = [resvg::usvg::fontdb::Family::Name(name(family))];
                let query = Query { families: &families, weight: Weight(weight), style, ..Query::default() };
                let face = database.face(database.query(&query).unwrap()).unwrap();
                assert_eq!(face.weight.0, weight, "{family:?}");
                let is_upright = face.style == Style::Normal;
                assert_eq!(is_upright, style == Style::Normal || is_slanted(family), "{family:?}");
            }
        }
    }
}
