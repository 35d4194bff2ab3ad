"""Draw the demo's painted adverts and the made-up competitor's mark; run once with Pillow and a CJK font, the PNG files are kept.

    python streams/demo_assets/make_assets.py /usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc

The pictures are shipped because a fresh machine may have no Chinese font. Drawn with Noto Sans CJK (SIL Open Font Licence 1.1).
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ADVERTS = {
    "advert_wechat.png": ("加微信 abc8421 领皮肤", 40, (255, 235, 90)),
    "advert_gambling.png": ("澳门网赌 注册送彩金", 38, (255, 255, 255)),
}
OUTLINE_PX = 3
COMPETITOR = "competitor.png"
"""The mark of a live platform that does not exist: a frog's head, and its name."""


def draw(text: str, size_px: int, colour: tuple[int, int, int], font_path: str) -> Image.Image:
    """Draw one line with a dark outline on nothing, as streamers' overlay tools do."""
    font = ImageFont.truetype(font_path, size_px)
    left, top, right, bottom = font.getbbox(text, stroke_width=OUTLINE_PX)
    picture = Image.new("RGBA", (int(right - left) + 8, int(bottom - top) + 8), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.text((4 - left, 4 - top), text, font=font, fill=(*colour, 255), stroke_width=OUTLINE_PX, stroke_fill=(20, 20, 20, 255))
    return picture


def draw_competitor(font_path: str) -> Image.Image:
    """Draw the mark: emblem and name, white and orange on nothing."""
    picture = Image.new("RGBA", (330, 112), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    orange, white, dark = (255, 140, 26, 255), (255, 255, 255, 255), (60, 30, 5, 255)
    pen.rounded_rectangle((6, 30, 106, 106), 34, fill=orange)
    for left in (14, 66):
        pen.ellipse((left, 8, left + 34, 42), fill=orange)
        pen.ellipse((left + 8, 15, left + 26, 33), fill=white)
        pen.ellipse((left + 13, 19, left + 22, 29), fill=dark)
    pen.arc((30, 46, 82, 92), 20, 160, fill=dark, width=6)
    font = ImageFont.truetype(font_path, 58)
    pen.text((120, 18), "呱呱TV", font=font, fill=white, stroke_width=2, stroke_fill=dark)
    return picture


def main() -> None:
    """Write every picture beside this file."""
    draw_competitor(sys.argv[1]).save(Path(__file__).parent / COMPETITOR, optimize=True)
    for name, (text, size_px, colour) in ADVERTS.items():
        draw(text, size_px, colour, sys.argv[1]).save(Path(__file__).parent / name, optimize=True)


if __name__ == "__main__":
    main()
