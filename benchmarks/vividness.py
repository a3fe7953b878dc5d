"""Which temperature and gain a model's muted, default and saturated settings should have.

    python benchmarks/vividness.py VALIDATION_TAR... [--model NAME] [--limit N] [--size S]

Prints, for each temperature and gain, how far PSNR lies above gray, CIEDE2000, and how colorful
the answers are beside the truth. Choose on validation pictures, never on evaluation ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import numpy as np

from opsin.colorization import upsample
from opsin.colorization.ensemble import table_of
from opsin.colorization.pipeline import predict
from opsin.evaluate.colorization.candidates import gray_photo
from opsin.evaluate.colorization.measure import measure
from opsin.models.engine import load_engine
from opsin.sets.pictures import read

TEMPERATURES = (1.0, 0.7, 0.5, 0.38, 0.3, 0.22)
GAINS = (0.8, 1.0, 1.2, 1.4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--size", type=int)
    parser.add_argument("--limit", type=int, default=100)
    arguments = parser.parse_args()
    engine = load_engine(arguments.model)
    card = engine.card

    def answers(light: np.ndarray) -> dict[str, np.ndarray]:
        photo, found = gray_photo(light), {}
        for temperature in TEMPERATURES:
            table = msgspec.structs.replace(
                table_of(card), vividness=((temperature, 1.0),), contrast=0.0, restraint=0.0
            )
            engine.card = msgspec.structs.replace(card, colorize=table)
            colors = predict(photo, model=arguments.model, size=arguments.size)
            for gain in GAINS:
                plan = upsample.fit(colors.ab * np.float32(gain), colors.light)
                name = f"T {temperature} gain {gain}"
                rows = slice(0, len(light))
                found[name] = upsample.apply(plan, light, rows, light.shape)
        return found

    pictures = list(read(arguments.data, limit=arguments.limit))
    report = measure(pictures, answers, threads=1)
    gray = report["gray"].figures["psnr"].value
    print(f"{len(pictures)} pictures; gray {gray:.2f} dB")
    for row in report.rows:
        value = {key: figure.value for key, figure in row.figures.items()}
        print(
            f"{row.system:24} PSNR {value['psnr'] - gray:+.2f} dB  CIEDE2000 "
            f"{value['delta_e']:.2f}  CF {value['colorfulness_relative']:+.0%}"
        )


if __name__ == "__main__":
    main()
