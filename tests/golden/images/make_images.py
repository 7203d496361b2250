"""Writes the small pictures that tests/data/image_test.cpp reads: kinds that stb_image_write cannot write.

Needs Pillow and ImageMagick: python3 make_images.py (in this folder). Colours are chosen so that the right RGB values follow
from the definitions; the test states them.
"""
import subprocess
from PIL import Image

Image.new("L", (16, 16), 100).save("gray.jpg", quality=95)

# CMYK as Adobe writes it: inverted, marked by an APP14 segment. Red is no cyan, full magenta, full yellow, no black.
Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save("cmyk_red.jpg", quality=95)

# YCCK: the same kind of file with the transform byte of APP14 set to 2, so that the first three channels are YCbCr. Stored
# are Y = 200, Cb = Cr = 128 and K = 255 (inverted: no black); R = G = B = 200 means C = M = Y = 55 stored inverted, which is
# the grey 55.
Image.new("CMYK", (16, 16), (55, 127, 127, 0)).save("ycck_gray.jpg", quality=95)
data = bytearray(open("ycck_gray.jpg", "rb").read())
data[data.index(b"Adobe") + 11] = 2
open("ycck_gray.jpg", "wb").write(data)

Image.new("RGBA", (4, 4), (200, 100, 50, 128)).save("rgba.png")

palette = Image.new("P", (4, 4), 1)
palette.putpalette([0, 0, 0, 255, 0, 0])
palette.save("palette.png")

# 16 bits a channel: 0x80FF keeps its upper byte, 0x80.
subprocess.run(["convert", "-size", "4x4", "xc:rgb(33023,257,65535)", "-depth", "16", "-set", "colorspace", "sRGB",
                "-evaluate", "set", "33023", "PNG48:rgb16.png"], check=True)

ramp = Image.new("RGB", (40, 30))
ramp.putdata([(x * 6, y * 8, 128) for y in range(30) for x in range(40)])
ramp.save("progressive.jpg", quality=90, progressive=True)
ramp.save("baseline.jpg", quality=90, restart_marker_blocks=2)
subprocess.run(["convert", "-size", "5x3", "gradient:", "-interlace", "PNG", "PNG24:interlaced.png"], check=True)
