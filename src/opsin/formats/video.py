"""Videos, read and written picture by picture through FFmpeg (PyAV, the extra `video`).

Only formats that hold their own pictures are opened: a playlist names other files and addresses,
which a file from somebody else must not make anyone read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from opsin.errors import NotAPhotoError, PhotoTooLargeError, SaveError, needs_extra
from opsin.files import shown, whole_file

FORMATS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,asf,flv,dv"
"""FFmpeg's names of what may be opened."""
SAFE: Final = {"format_whitelist": FORMATS, "protocol_whitelist": "crypto"}
"""No file is opened but the one that is read."""
CAMERAS: Final = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
SHORT: Final = 1.0  # seconds: by so much less than it says a video may last
RATE: Final = 25  # pictures a second, where a video does not say
CLOCK: Final = Fraction(1, 90_000)  # seconds: what times are counted in, as MPEG does


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a video."""

    number: int
    """From 0 on."""
    seconds: float
    """When it is shown, from the beginning on."""
    pixels: NDArray[np.uint8]
    """(H, W, 3) sRGB, upright."""


class Video:
    """A video or a camera, read from its beginning to its end, once.

    >>> with Video("film.mp4", pixel_limit=10**8) as video:  # doctest: +SKIP
    ...     for picture in video:
    ...         picture.pixels.shape
    """

    def __init__(self, source: str | Path, *, pixel_limit: int, threads: int = 1) -> None:
        """`source` is the name of a file, or `camera`, `camera:1` ...

        Raises `NotAPhotoError` if it is no video that can be read, `PhotoTooLargeError` if its
        pictures have more pixels than `pixel_limit`, and `OSError` if there is no such file.
        """
        with needs_extra("reading videos", "video"):
            import av
        self.name = str(source)
        self.notes: list[str] = []
        self._stack = ExitStack()
        try:
            self._container = self._stack.enter_context(self._open(av))
            self.stream = self._container.streams.best("video")
            if self.stream is None:
                raise NotAPhotoError(f"{shown(self.name)}: there are no pictures in it.")
            self.sounds: Sequence[Any] = tuple(self._container.streams.audio)
            """Its streams of sound."""
            self.stream.thread_type = "AUTO"
            self.stream.codec_context.thread_count = threads
            width, height = self.stream.width, self.stream.height
            if width * height > pixel_limit:
                raise PhotoTooLargeError(
                    f"{shown(self.name)}: pictures of {width} x {height}, more than the limit of "
                    f"{pixel_limit:,} pixels. --pixel-limit raises it."
                )
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def rate(self) -> Fraction:
        """Pictures a second, as far as the video says."""
        return Fraction(self.stream.average_rate or self.stream.guessed_rate or RATE)

    @property
    def duration(self) -> float | None:
        """Seconds, as the video says; None for a camera, or where it does not."""
        own = self._container.duration
        return None if own is None or own <= 0 else own / 1_000_000

    def __iter__(self) -> Iterator[Picture]:
        """Its pictures. One that is cut off or damaged ends where no more can be read, and `notes`
        say so."""
        import av

        first, last, count = None, 0.0, 0
        decoded = self._container.decode(self.stream)
        while True:
            try:
                frame = next(decoded, None)
            except (av.error.FFmpegError, OSError) as error:
                self.notes.append(f"damaged after {last:.1f} seconds ({_words(error)})")
                return
            if frame is None:
                break
            time = frame.time if frame.time is not None else count / float(self.rate)
            first = time if first is None else first
            last = time - first
            yield Picture(count, last, _upright(frame))
            count += 1
        if not count:
            self.notes.append("there are no pictures in it")
        elif self.duration is not None and last + SHORT < self.duration:
            self.notes.append(f"ends after {last:.1f} of {self.duration:.1f} seconds")

    def heard(self, last: float) -> Iterator[Any]:
        """The packets of its sound until `last` seconds after its first picture, read anew."""
        if not self.sounds:  # as before a camera
            return
        import av

        with open(self.name, "rb") as file, suppress(av.error.FFmpegError):
            again: Any = av.open(file, options=SAFE)
            for packet in again.demux(again.streams.audio):
                if packet.dts is not None and packet.pts * packet.time_base <= last:
                    yield packet

    def _open(self, av: Any) -> Any:
        kind, _, number = self.name.partition(":")
        if kind == "camera":
            return self._camera(av, number or "0")
        file = self._stack.enter_context(open(self.name, "rb"))  # noqa: SIM115
        try:
            return av.open(file, options=SAFE)
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise NotAPhotoError(
                f"{shown(self.name)}: no video that can be read ({_words(error)})."
            ) from error

    def _camera(self, av: Any, number: str) -> Any:
        name = f"/dev/video{number}" if sys.platform.startswith("linux") else number
        try:
            return av.open(name, format=CAMERAS.get(sys.platform, "v4l2"))
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise NotAPhotoError(
                f"{self.name}: no camera answers ({_words(error)}). Is it connected, and may this "
                "user read from it?"
            ) from error


class Writing:
    """A video that is written, H.264 in MP4, with the sound of the one that it is made of.

    Its name is free, or holds what it held before, until the block ends without an error.
    """

    def __init__(self, path: Path, like: Video) -> None:
        self.notes: list[str] = []
        self._path, self._like = path, like
        self._stack = ExitStack()
        self._out: Any = None
        self._stream: Any = None
        self._sounds: dict[int, Any] = {}
        self._last = 0.0

    def __enter__(self) -> Self:
        import av

        file = self._stack.enter_context(whole_file(self._path))
        self._out = av.open(file, "w", format="mp4")
        return self

    def write(self, picture: Picture, pixels: NDArray[np.uint8]) -> None:
        """Writes `pixels` (H, W, 3), to be shown when `picture` is."""
        import av

        # H.264 has half as many colors as pixels each way, so it takes even sizes alone
        height, width = (side - side % 2 for side in pixels.shape[:2])
        if self._stream is None:
            self._begin(height, width)
        even = np.ascontiguousarray(pixels[:height, :width])
        frame = av.VideoFrame.from_ndarray(even, format="rgb24")
        frame.time_base, frame.pts = CLOCK, round(picture.seconds / CLOCK)
        self._last = picture.seconds
        self._mux(self._stream.encode(frame))

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            try:
                self._end()
            except BaseException as failure:
                if not self._stack.__exit__(type(failure), failure, failure.__traceback__):
                    raise
        else:
            self._out.close()
        self._stack.__exit__(*error)

    def _begin(self, height: int, width: int) -> None:
        import av

        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        self._stream = self._out.add_stream(codec, rate=self._like.rate)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = CLOCK
        for sound in self._like.sounds:
            try:
                self._sounds[sound.index] = self._out.add_stream_from_template(sound)
            except (av.error.FFmpegError, ValueError):
                self.notes.append(f"its sound ({sound.name}) does not go into MP4 and is left out")

    def _end(self) -> None:
        """What the encoder still holds, and the sound as far as there are pictures."""
        if self._stream is None:
            raise SaveError(f"{shown(self._path)}: not written, for there are no pictures.")
        self._mux(self._stream.encode(None))
        for packet in self._like.heard(self._last):
            packet.stream = self._sounds.get(packet.stream.index)
            if packet.stream is not None:
                self._mux(packet)
        self._out.close()

    def _mux(self, packets: Any) -> None:
        import av

        try:
            self._out.mux(packets)
        except av.error.FFmpegError as error:
            raise SaveError(f"{shown(self._path)}: cannot be written ({_words(error)}).") from error


def _upright(frame: Any) -> NDArray[np.uint8]:
    """A picture's pixels as it is to be shown: telephones store films turned."""
    pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _words(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).rstrip(".")
