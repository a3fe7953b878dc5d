"""Packets of XMP as other programs write them, of a picture of 400 x 200 pixels."""

from xml.etree import ElementTree

from opsin.formats import xmp

SPACES = """xmlns:x="adobe:ns:meta/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
 xmlns:MP="http://ns.microsoft.com/photo/1.2/"
 xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
 xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" """

MICROSOFT = """<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>
 <rdf:li rdf:parseType="Resource"><MPReg:PersonDisplayName>Ann Lee</MPReg:PersonDisplayName>
  <MPReg:Rectangle>0.2, 0.4, 0.1, 0.2</MPReg:Rectangle></rdf:li></rdf:Bag></MPRI:Regions>
</MP:RegionInfo>"""


def packet(*properties):
    return (
        f'<x:xmpmeta {SPACES}><rdf:RDF><rdf:Description rdf:about="">'
        + "".join(properties)
        + "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def mwg(*regions, size='stDim:w="400" stDim:h="200"'):
    return f"""<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions {size}/>
 <mwg-rs:RegionList><rdf:Bag>{"".join(regions)}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"""


def region(name="Ann Lee", type="Face", x=0.25, y=0.5, w=0.1, h=0.2, area=None):
    area = area or f'stArea:x="{x}" stArea:y="{y}" stArea:w="{w}" stArea:h="{h}"'
    return f"""<rdf:li rdf:parseType="Resource"><mwg-rs:Name>{name}</mwg-rs:Name>
 <mwg-rs:Type>{type}</mwg-rs:Type><mwg-rs:Area {area}/></rdf:li>"""


def of_iptc(boundary, person="Ann Lee"):
    return f"""<Iptc4xmpExt:ImageRegion><rdf:Bag><rdf:li rdf:parseType="Resource">
 <Iptc4xmpExt:RegionBoundary rdf:parseType="Resource">{boundary}</Iptc4xmpExt:RegionBoundary>
 <Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>{person}</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>
 </rdf:li></rdf:Bag></Iptc4xmpExt:ImageRegion>"""


def iptc_numbers(**numbers):
    return "".join(
        f"<Iptc4xmpExt:{key}>{value}</Iptc4xmpExt:{key}>" for key, value in numbers.items()
    )


RECTANGLE = of_iptc(iptc_numbers(rbUnit="relative", rbX=0.2, rbY=0.4, rbW=0.1, rbH=0.2))
RECTANGLE_PIXELS = of_iptc(iptc_numbers(rbUnit="pixel", rbX=80, rbY=80, rbW=40, rbH=40))
CIRCLE = of_iptc(iptc_numbers(rbUnit="relative", rbX=0.25, rbY=0.5, rbRx=0.05))
POLYGON = of_iptc(
    "<Iptc4xmpExt:rbUnit>pixel</Iptc4xmpExt:rbUnit><Iptc4xmpExt:rbVertices><rdf:Seq>"
    + "".join(
        f'<rdf:li rdf:parseType="Resource">{iptc_numbers(rbX=x, rbY=y)}</rdf:li>'
        for x, y in ((80, 90), (100, 80), (120, 100), (110, 120))
    )
    + "</rdf:Seq></Iptc4xmpExt:rbVertices>"
)


def normal(data):
    """A packet whatever its spelling."""
    root, _ = xmp.parse(data)
    ElementTree.indent(root, " ")
    return ElementTree.canonicalize(ElementTree.tostring(root), strip_text=True)


def words(data, name):
    space, key = {
        "PersonInImage": (xmp.IPTC_EXT, "PersonInImage"),
        "subject": (xmp.DC, "subject"),
        "TagsList": (xmp.DIGIKAM, "TagsList"),
        "hierarchicalSubject": (xmp.LIGHTROOM, "hierarchicalSubject"),
    }[name]
    root, _ = xmp.parse(data)
    found = root.findall(f".//{xmp.qname(space, key)}")
    return [li.text for one in found for li in one.iter(xmp.qname(xmp.RDF, "li"))]
