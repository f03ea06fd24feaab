//! Documents as people's programs write them; none of them may be refused.

use crate::{Good, svg, verdict};

#[test]
fn a_drawing_of_inkscape() {
    let document = r##"<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!-- Created with Inkscape (http://www.inkscape.org/) -->

<svg
   width="210mm" height="297mm" viewBox="0 0 210 297" version="1.1" id="svg5"
   inkscape:version="1.2.2 (b0a8486541, 2022-12-01)" sodipodi:docname="drawing.svg"
   inkscape:export-filename="C:\out\drawing.png"
   xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"
   xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"
   xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg"
   xmlns:svg="http://www.w3.org/2000/svg" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
   xmlns:cc="http://creativecommons.org/ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"
   xmlns:onto="http://example.com/ontology">
  <sodipodi:namedview id="namedview7" pagecolor="#ffffff" inkscape:zoom="0.7" showgrid="false">
    <inkscape:grid type="xygrid" id="grid1" />
  </sodipodi:namedview>
  <defs id="defs2">
    <linearGradient inkscape:collect="always" id="linearGradient1">
      <stop style="stop-color:#ff0000;stop-opacity:1;" offset="0" id="stop1" />
      <stop style="stop-color:#ff0000;stop-opacity:0;" offset="1" id="stop2" />
    </linearGradient>
    <linearGradient xlink:href="#linearGradient1" id="linearGradient3" gradientUnits="userSpaceOnUse" />
    <filter style="color-interpolation-filters:sRGB" id="filter1">
      <feColorMatrix values="1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 0 0 0 1 0" id="m" />
      <feImage xlink:href="data:image/png;base64,iVBORw0KGgo=" />
    </filter>
    <inkscape:path-effect effect="spiro" id="path-effect1" lpeversion="1" />
    <clipPath clipPathUnits="userSpaceOnUse" id="clip"><use xlink:href="#path1" /></clipPath>
  </defs>
  <g inkscape:label="Ebene 1: Überschrift (javascript: no)" inkscape:groupmode="layer" id="layer1">
    <path id="path1" style="fill:url(#linearGradient3);filter:url(#filter1);-inkscape-font-specification:'Sans, Bold'"
       d="m 10,10 c 1,2 3,4 5,6 z" inkscape:connector-curvature="0" transform="matrix(1,0,0,1,2,3)" />
    <image xlink:href="data:image/jpeg;base64,/9j/4AAQ&#10;SkZJ
 RgABAQ==" width="1" height="1" preserveAspectRatio="none" id="image1" />
    <image sodipodi:absref="/home/me/photo.png" xlink:href="file:///home/me/photo.png" />
    <text xml:space="preserve" id="t"><tspan sodipodi:role="line">a &lt; b &amp;&amp; c &gt; d &#8212; “ok”</tspan></text>
    <a xlink:href="https://example.com/?a=1&amp;b=javascript:x" target="_blank"><circle r="3" /></a>
  </g>
  <metadata id="metadata1"><rdf:RDF><cc:Work rdf:about=""><dc:format>image/svg+xml</dc:format>
    <dc:type rdf:resource="http://purl.org/dc/dcmitype/StillImage" /></cc:Work></rdf:RDF></metadata>
</svg>
"##;
    assert_eq!(verdict(document), Good);
}

#[test]
fn a_drawing_of_illustrator() {
    let document = b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\r\n<!-- Generator: Adobe Illustrator 19.0.0, \
        SVG Export Plug-In . SVG Version: 6.00 Build 0)  -->\r\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \
        \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">\r\n<svg version=\"1.1\" id=\"Capa_1\" \
        xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" x=\"0px\" y=\"0px\" \
        viewBox=\"0 0 512 512\" style=\"enable-background:new 0 0 512 512;\" xml:space=\"preserve\">\r\n\
        <style type=\"text/css\">\r\n<![CDATA[\r\n\t.st0{fill:#F2F2F2;} /* r\xE9sum\xE9 */\r\n\
        \t.st1{clip-path:url(#SVGID_2_);font-family:'MyriadPro-Regular';}\r\n\
        \t@font-face{src:url(\"data:application/x-font-woff;base64,AAAA\")}\r\n]]>\r\n</style>\r\n\
        <switch><foreignObject requiredExtensions=\"http://ns.adobe.com/AdobeIllustrator/10.0/\" width=\"1\" height=\"1\"/>\r\n\
        <g><rect class=\"st0\" width=\"512\" height=\"512\"/><image xlink:href=\"A1B2.png\"/></g></switch></svg>\r\n";
    assert_eq!(verdict(document), Good);
}

#[test]
fn a_frame_of_figma() {
    let document = r##"<svg width="24" height="24" viewBox="0 0 24 24" fill="none" xmlns="http://www.w3.org/2000/svg"
 xmlns:xlink="http://www.w3.org/1999/xlink">
<g clip-path="url(#clip0_1_2)" filter="url(#filter0_d_1_2)">
<path fill-rule="evenodd" clip-rule="evenodd" d="M12 2C6.48 2 2 6.48 2 12Z" fill="url(#pattern0)" style="mix-blend-mode:multiply"/>
<foreignObject x="-4" y="-4" width="32" height="32"><div xmlns="http://www.w3.org/1999/xhtml" style="backdrop-filter:blur(2px);clip-path:url(#bgblur_0);height:100%;width:100%"></div></foreignObject>
</g>
<defs>
<pattern id="pattern0" patternContentUnits="objectBoundingBox" width="1" height="1">
<use xlink:href="#image0_1_2" transform="scale(0.01)"/>
</pattern>
<clipPath id="clip0_1_2"><rect width="24" height="24" fill="white"/></clipPath>
<image id="image0_1_2" width="100" height="100" xlink:href="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA"/>
</defs>
</svg>"##;
    assert_eq!(verdict(document), Good);
}

#[test]
fn things_that_only_look_dangerous() {
    for content in [
        "<!-- <script>alert(1)</script> -->",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<title>&lt;script&gt;alert(1)&lt;/script&gt; javascript: onload=</title>",
        "<desc><![CDATA[@import expression( -moz-binding]]></desc>",
        "<description/><scripting/><scripts/><subscript/>",
        "<g data-onload=\"x\" aria-label=\"onload: javascript:x()\" class=\"onload\" id=\"script\"/>",
        "<g data-name=\"JavaScript: the basics (url)\"/>",
        "<use href=\"#data:\"/><use href=\"icons.svg#script\"/><use xlink:href=\"https://example.com/i.svg#x\"/>",
        "<a href=\"https://example.com/javascript:x\"/><a href=\"mailto:a@example.com\"/><a href=\"#javascript:\"/>",
        "<a href=\"data:text/plain,hello\"/><a href=\"data:image/png;base64,AAAA\"/><a href=\"\"/>",
        "<image href=\"data:image/svg+xml;base64,AAAA\"/><feImage href=\"data:image/svg+xml,x\"/>",
        "<image href=\"data:img/jpg;base64,AAAA\"/><image href=\"data:;base64,AAAA\"/>",
        "<animate attributeName=\"opacity\" values=\"0;1;0\" dur=\"1s\" begin=\"b.click\"/>",
        "<animateTransform attributeName=\"transform\" type=\"rotate\" from=\"0\" to=\"360\"/>",
        "<set attributeName=\"visibility\" to=\"visible\"/><animateMotion><mpath href=\"#p\"/></animateMotion>",
        "<style>.javascript:hover{fill:url(#a)} @media print{g{scroll-behavior:smooth}} @font-face{src:url(x.woff)}</style>",
        "<style>g{content:\"\\201C\";} /* imports are expressions of taste */</style>",
        "<style/><style></style><style>a{}</style>text",
        "<foreignObject><h:p style=\"color:red\">Text<h:br/><h:b>bold</h:b><h:img src=\"https://example.com/a.png\"/></h:p></foreignObject>",
        "<?php echo 1 ?><?xpacket begin=\"\u{FEFF}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>",
        "<été à=\"ü\" 漢=\"字\"/>",
        "<g fill=\"&#35;fff\" title='a \"quoted\" word &apos;s' d=\"M0,0\tL1,1\n\"/>",
    ] {
        assert_eq!(verdict(svg(content)), Good, "{content}");
    }
    for document in [
        "<svg/>",
        "<SVG/>",
        "<svg:svg xmlns:svg=\"http://www.w3.org/2000/svg\"/>",
        "\u{FEFF}<?xml version=\"1.0\"?>\n<!-- x -->\n<!DOCTYPE svg>\n<svg></svg>\n<!-- y -->\n",
        "<!DOCTYPE svg SYSTEM 'svg.dtd'><svg/>",
    ] {
        assert_eq!(verdict(document), Good, "{document}");
    }
}
