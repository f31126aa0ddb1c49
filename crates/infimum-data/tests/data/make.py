"""Writes the JPEG files and, as libjpeg decodes them, their pixels (Pillow): `python3 make.py` in this folder."""
from PIL import Image

WIDTH, HEIGHT = 22, 13
picture = Image.new("RGB", (WIDTH, HEIGHT))
picture.putdata([((x * 11) % 256, (y * 19) % 256, (x * y * 3) % 256) for y in range(HEIGHT) for x in range(WIDTH)])
for name, image, options in [
    ("colour", picture, {"subsampling": "4:2:0"}),
    ("progressive", picture, {"progressive": True, "subsampling": "4:4:4"}),
    ("grey", picture.convert("L"), {}),
    ("cmyk", picture.convert("CMYK"), {}),
]:
    image.save(f"{name}.jpg", quality=90, **options)
    if name != "cmyk":
        with open(f"{name}.pixels", "wb") as out:
            out.write(Image.open(f"{name}.jpg").tobytes())
