"""The builder of image operations: the paths that it makes, each with every method and all that it can be given."""

import json
import sys

from pyuploadcare.transformations.image import (
    ColorAdjustment,
    CropAlignment,
    HorizontalTextAlignment,
    ImageFilter,
    ImageFormat,
    ImageQuality,
    ImageTransformation,
    OverlayOffset,
    ScaleCropMode,
    SRGBConversion,
    StretchMode,
    StripMetaMode,
    TextBoxMode,
    VerticalTextAlignment,
)

wanted = json.loads(sys.argv[1])
file, other = wanted["file"], wanted["other"]


def start():
    return ImageTransformation()


made = [
    start().preview(),
    start().preview(100, 80),
    start().resize(width=120),
    start().resize(height=90),
    start().resize(width=120, height=90),
    start().smart_resize(120, 90),
    start().crop(100, 80),
    start().crop(100, 80, 10, 20),
    start().crop(100, 80, "10%", "20%"),
    start().scale_crop(100, 80),
    start().scale_crop(100, 80, 10, 20),
    start().border_radius(10),
    start().border_radius("10%"),
    start().border_radius([10, "20%"], [5, 6, 7, 8]),
    start().setfill("ff00ff").crop(500, 500),
    start().zoom_objects(30).preview(),
    start().rasterize().preview(),
    start().preview().progressive(),
    start().preview().progressive(False),
    start().preview().enhance(),
    start().preview().enhance(80),
    start().preview().grayscale(),
    start().preview().invert(),
    start().preview().max_icc_size(100),
    start().preview().blur(),
    start().preview().blur(20),
    start().preview().blur(20, 50),
    start().preview().blur_region("50%", "50%", 10, 20, 30),
    start().preview().blur_faces(),
    start().preview().blur_faces(20),
    start().preview().sharp(),
    start().preview().sharp(15),
    start().preview().overlay(other),
    start().preview().overlay(other, "50%", "50%"),
    start().preview().overlay(other, 40, 40, offset=OverlayOffset.center, strength=60),
    start().preview().overlay(other, "40%", "40%", offset_x="10%", offset_y=20, strength=60),
    start().preview().overlay_self("30%", "30%", offset=OverlayOffset.bottom),
    start().preview().text("Eine Zeile/und\n~noch eine", "80%", "50%", offset=OverlayOffset.center),
    start()
    .preview()
    .text(
        "mehr",
        200,
        100,
        offset_x="10%",
        offset_y="90%",
        horizontal_alignment=HorizontalTextAlignment.left,
        vertical_alignment=VerticalTextAlignment.bottom,
        font_size=20,
        font_color="00ff0080",
        box_mode=TextBoxMode.line,
        box_color="000",
        box_padding=5,
    ),
    start().preview().rect("ff0000", "50%", 20, offset=OverlayOffset.center),
    start().preview().autorotate(False),
    start().preview().rotate(90).flip().mirror(),
    *(start().stretch(mode).resize(width=900) for mode in StretchMode),
    *(start().crop(100, 80, alignment=place) for place in CropAlignment),
    *(start().scale_crop(100, 80, mode=mode) for mode in ScaleCropMode),
    *(start().scale_crop(100, 80, 10, 90, mode=ScaleCropMode.smart) for _ in range(1)),
    *(start().preview().format(format) for format in ImageFormat),
    *(start().preview().quality(quality) for quality in ImageQuality),
    *(start().preview().strip_meta(mode) for mode in StripMetaMode),
    *(start().preview().adjust_color(adjustment, 40) for adjustment in ColorAdjustment),
    *(start().preview().filter(look) for look in ImageFilter),
    *(start().preview().filter(look, 50) for look in ImageFilter),
    *(start().preview().srgb(conversion) for conversion in SRGBConversion),
]
faces = start().detect_faces()
print(
    json.dumps(
        {
            "paths": [transformation.path(file) for transformation in made],
            "faces": faces.path(file),
            "wire": {"requests": [], "foreign": []},
        }
    )
)
