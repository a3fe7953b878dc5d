"""Finding faces as work upon one photograph of many; see `opsin.work`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opsin.defaults import CROP_MARGIN, DETECTOR, MIN_FACE, PIXEL_LIMIT, QUALITY
from opsin.formats.suffixes import WRITTEN
from opsin.work import Made

if TYPE_CHECKING:
    from opsin.faces.pipeline import Faces

PICTURES: Final = {"draw": "faces", "crop": "face-1", "blur": "blurred"}
"""What can be made, by role, and what the names of its pictures end with; a second face's crop is
NAME-face-2."""

NOT_BLURRED: Final = "no face was found: nothing is blurred in the copy, look at it"


@dataclass(frozen=True)
class Finding:
    """How each photograph is done: the words and defaults of `opsin.find_faces`."""

    detector: str = DETECTOR
    threshold: float | None = None
    min_size: float = MIN_FACE
    margin: float = CROP_MARGIN
    quality: int = QUALITY
    pixel_limit: int = PIXEL_LIMIT
    damaged: bool = False
    device: str = "cpu"

    def load(self, *, threads: int) -> None:
        from opsin.faces.detectors import detector_of

        detector_of(self.detector, threads=threads, device=self.device)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Its part is that of `Faces.document`; the crops are "crop", "crop 2", "crop 3" ..."""
        from opsin.faces.pipeline import find_faces
        from opsin.photo import open as open_photo

        photo = open_photo(source, pixel_limit=self.pixel_limit, damaged=self.damaged)
        found = find_faces(
            photo,
            detector=self.detector,
            threshold=self.threshold,
            min_size=self.min_size,
            threads=threads,
            device=self.device,
        )
        files, notes = self._files(found, wanted)
        return Made(files, (*photo.metadata.notes, *notes), found.document())

    def _files(
        self, found: Faces, wanted: Mapping[str, str]
    ) -> tuple[dict[str, bytes], tuple[str, ...]]:
        """The pictures that are wanted; and of the blurred one what its format cannot hold, and
        whether it shows all that the photograph does."""
        files: dict[str, bytes] = {}
        notes: tuple[str, ...] = ()
        if "draw" in wanted:
            files["draw"] = found.draw().encode(WRITTEN[wanted["draw"]], quality=self.quality)
        if "blur" in wanted:
            copy, format = found.blur(), WRITTEN[wanted["blur"].lower()]
            notes = (*copy.losses(format), *(() if len(found) else (NOT_BLURRED,)))
            files["blur"] = copy.encode(format, quality=self.quality)
        if "crop" in wanted:
            format = WRITTEN[wanted["crop"].lower()]
            crops = [found.crop(face, self.margin) for face in found]
            made = [crop.encode(format, quality=self.quality) for crop in crops]
            # the first last: where it exists, all others do
            files |= {f"crop {number}": data for number, data in enumerate(made[1:], 2)}
            files |= dict(zip(["crop"], made, strict=False))
        return files, notes
