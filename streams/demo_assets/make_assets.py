"""Draw the demo's painted adverts; run once with Pillow and a CJK font, the PNG files are kept.

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


def draw(text: str, size_px: int, colour: tuple[int, int, int], font_path: str) -> Image.Image:
    """Draw one line with a dark outline on nothing, as streamers' overlay tools do."""
    font = ImageFont.truetype(font_path, size_px)
    left, top, right, bottom = font.getbbox(text, stroke_width=OUTLINE_PX)
    picture = Image.new("RGBA", (int(right - left) + 8, int(bottom - top) + 8), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.text((4 - left, 4 - top), text, font=font, fill=(*colour, 255), stroke_width=OUTLINE_PX, stroke_fill=(20, 20, 20, 255))
    return picture


def main() -> None:
    """Write every advert beside this file."""
    for name, (text, size_px, colour) in ADVERTS.items():
        draw(text, size_px, colour, sys.argv[1]).save(Path(__file__).parent / name, optimize=True)


if __name__ == "__main__":
    main()
