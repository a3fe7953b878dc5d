"""Packets of XMP as other programs write them, of a picture of 400 x 200 pixels."""

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
