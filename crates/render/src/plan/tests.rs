use super::*;

/// The files that overlays name.
const PHOTO: &str = "11111111-1111-4111-8111-111111111111";
const DRAWING: &str = "22222222-2222-4222-8222-222222222222";

fn overlay(id: FileId) -> Option<Raw> {
    match id.to_string().as_str() {
        PHOTO => Some(Raw::whole((8000, 4000))),
        DRAWING => Some(Raw { size: (100, 50), decoder: Decoder::Draws, channels: 4 }),
        _ => None,
    }
}

fn plan(full: Dimensions, path: &str) -> Result<Plan, RenderError> {
    let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
    let raw = Raw { size: full, decoder: Decoder::Shrinks, channels: 4 };
    Plan::new(raw, &Operations::parse(&pieces).unwrap(), &Limits::default(), &overlay)
}

fn target(full: Dimensions, path: &str) -> Option<Dimensions> {
    plan(full, path).unwrap().target
}

#[test]
fn the_first_scaling_says_how_much_is_needed() {
    let full = (4000, 3000);
    for (path, wanted) in [
        ("-/resize/400x/", Some((400, 300))),
        ("-/preview/-/resize/400x/", Some((2048, 1536))),
        ("-/preview/4000x3000/-/resize/400x/-/format/jpeg/", Some((400, 300))),
        ("-/scale_crop/300x300/center/", Some((400, 300))),
        // Half of the picture becomes 400 wide, so all of it would be 800.
        ("-/crop/50px50p/-/resize/400x/", Some((800, 600))),
        ("-/crop/1:1/-/preview/300x300/", Some((400, 300))),
        ("-/rotate/90/-/resize/300x/", Some((400, 300))),
        ("-/rotate/90/-/flip/-/crop/100px50p/center/-/resize/300x300/", Some((600, 300))),
        ("-/enhance/-/filter/adaris/-/mirror/-/preview/400x400/", Some((400, 300))),
        ("-/scale_crop/30x30/smart/", Some((640, 480))),
        ("-/resize/2000x/-/scale_crop/30x30/smart/", Some((2000, 1500))),
        ("-/crop/1000x1000/-/resize/100x/", None),
        ("-/crop/50px50p/10,10/-/resize/100x/", None),
        ("-/crop/face/-/resize/100x/", None),
        ("-/trim/-/resize/100x/", None),
        ("-/blur/-/resize/100x/", None),
        ("-/sharp/-/resize/100x/", None),
        ("-/preview/4000x3000/-/format/jpeg/", None),
    ] {
        assert_eq!(target(full, path), wanted, "{path}");
    }
}

#[test]
fn overlays_of_the_picture_itself_need_it_too() {
    let path = "-/resize/100x/-/overlay/self/1600px1600p/";
    assert_eq!(target((4000, 3000), path), Some((1600, 1200)));
    assert_eq!(target((4000, 3000), "-/overlay/self/-/resize/100x/"), None);
}

#[test]
fn memory_is_that_of_what_is_held() {
    let held = |path: &str| plan((8000, 6000), path).unwrap().memory / CHANNELS;
    assert_eq!(held("-/resize/400x/"), 1000 * 750 + 400 * 300);
    assert_eq!(held("-/blur/-/resize/400x/"), 2 * 8000 * 6000);
    assert_eq!(held("-/crop/100x100/-/resize/400x/"), 8000 * 6000 + 100 * 100);
}

#[test]
fn colors_next_to_each_other_are_one_work() {
    let work = |path: &str| plan((1000, 1000), path).unwrap().work;
    assert_eq!(work("-/invert/-/grayscale/-/enhance/"), work("-/invert/"));
    assert!(work("-/invert/-/blur/-/invert/") > work("-/invert/-/invert/-/blur/"));
}

#[test]
fn overlays_are_made_of_pixels_too() {
    let made = |path: &str| {
        let (made, without) = (plan((1000, 1000), path).unwrap(), plan((1000, 1000), "").unwrap());
        (made.work - without.work, made.memory / CHANNELS - 1000 * 1000)
    };
    let mixed = 2 * 1000 * 1000;
    // 8000x4000 becomes 1000x500.
    let (file, small) = (8000 * 4000, 1000 * 500);
    let photo = format!("-/overlay/{PHOTO}/");
    assert_eq!(made(&photo), (file + small + mixed, 1000 * 1000 + file + small));
    // It is made once, but not if another one stands between.
    assert_eq!(made(&photo.repeat(3)).0, file + small + 3 * mixed);
    let other = format!("-/overlay/{PHOTO}/500x500/");
    assert_eq!(made(&format!("{photo}{other}{photo}")).0, 3 * file + 2 * small + 500 * 250 + 3 * mixed);
    // As many pixels of a drawing are made as are laid on.
    let drawing = made(&format!("-/overlay/{DRAWING}/8000x8000/"));
    assert_eq!(drawing.1, 1000 * 1000 + 8000 * 4000 + 16_000_000);
    assert!(drawing.0 > 8000 * 4000 + super::DRAWING);
    // The picture itself is there twice, and its overlay.
    assert_eq!(made("-/overlay/self/50px50p/"), (1000 * 1000 + 500 * 500 + mixed, 2 * 1000 * 1000 + 500 * 500));
    let gone = "-/overlay/33333333-3333-4333-8333-333333333333/";
    assert_eq!(made(gone).0, mixed);
}

#[test]
fn looking_costs_whatever_the_size() {
    let work = |path: &str| plan((100, 100), path).unwrap().work;
    for path in [
        "-/crop/face/",
        "-/scale_crop/50x50/smart/",
        "-/smart_resize/50x80/",
        "-/blur_region/faces/",
        "-/crop/face/1:1/",
    ] {
        assert!((LOOK..LOOK + 200_000).contains(&work(path)), "{path}");
    }
    assert!(work("-/scale_crop/50x50/center/-/blur_region/50px50p/0,0/-/crop/1:1/") < 200_000);
    assert!(plan((100, 100), &"-/blur_region/faces/".repeat(70)).is_err());
}

#[test]
fn what_depends_on_the_content_is_reckoned_as_the_most_that_it_can_be() {
    let most = |path: &str| plan((1000, 1000), path).unwrap().output_pixels;
    for (path, pixels) in [
        ("-/trim/", 1000 * 1000),
        // A few pixels of the picture may be left, of any ratio.
        ("-/trim/-/resize/2500x/", 2500 * 30_000),
        ("-/trim/-/resize/x3000/", 25_000 * 3000),
        ("-/crop/face/-/resize/100x/", 100 * 30_000),
        ("-/trim/-/resize/10x/", 10 * 10_000),
        ("-/trim/-/stretch/off/-/resize/100x/", 100 * 1000),
        ("-/trim/-/preview/300x3000/", 300 * 1000),
        ("-/trim/-/resize/300x200/", 300 * 200),
        ("-/trim/-/scale_crop/300x200/", 300 * 200),
    ] {
        assert_eq!(most(path), pixels, "{path}");
    }
    // What is cut off was there.
    let memory = plan((1000, 1000), "-/trim/-/scale_crop/300x200/").unwrap().memory;
    assert!(memory >= CHANNELS * 300 * 30_000);
    // It may be far less, so nothing is refused yet; what came before is known.
    let blurs = "-/blur/".repeat(20);
    assert!(plan((1000, 1000), &format!("-/trim/-/resize/2500x/{blurs}-/preview/")).is_ok());
    assert!(plan((8000, 8000), &format!("{blurs}-/trim/-/preview/")).is_err());
}

#[test]
fn a_walk_goes_on_with_what_there_really_is() {
    let operations = Operations::parse(&["-", "trim", "-", "resize", "100x", "-", "blur"]).unwrap();
    let limits = Limits { max_work: 1_000_000, ..Limits::default() };
    let work = |content: Dimensions| {
        let mut walk = Walk::new(Raw::whole((300, 300)), &operations, &limits, &overlay);
        for (step, size) in operations.steps.iter().zip([content, (100, 100 * content.1 / content.0)]) {
            walk.step(step)?;
            walk.arrive(size);
        }
        walk.step(&operations.steps[2]).map(|()| walk.work)
    };
    // The resize counts for the scaling and for its result.
    assert_eq!(work((300, 300)).unwrap(), 2 * 300 * 300 + 4 * 100 * 100);
    assert!(work((5, 300)).is_err());
}
