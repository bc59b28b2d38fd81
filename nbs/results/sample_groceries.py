"""Makes the data set that ships, akr/photos/groceries.zip: python sample_groceries.py FOLDER OUT.zip, with FOLDER/train and
FOLDER/test as 13_folder.ipynb reads them. The photos are those of https://github.com/marcusklasson/GroceryStoreDataset (MIT)."""
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from PIL import Image

from akr.folder import list_folder
from akr.images import decode

CLASSES = ('Avocado', 'Banana', 'Bravo-Orange-Juice', 'Brown-Cap-Mushroom', 'Carrots', 'Granny-Smith', 'Kiwi', 'Lemon',
           'Oatly-Natural-Oatghurt', 'Orange', 'Red-Delicious', 'Vine-Tomato')
SIZE, QUALITY, TRAIN, TEST = 96, 80, 40, 25 # pixels per side; of WebP; photos of each class, at most

def evenly(files, n): # n of them, spread over the whole list: neighbours are often of one scene
    return files if len(files) <= n else [files[k*len(files)//n] for k in range(n)]

def main(folder, out):
    _, train, test = list_folder(folder)
    with ZipFile(out, 'w', ZIP_STORED) as z:
        for part, files, n in (('train', train, TRAIN), ('test', test, TEST)):
            for c in CLASSES:
                for k, f in enumerate(evenly(files[c], n), 1):
                    buffer = BytesIO()
                    Image.fromarray(decode(f, SIZE).transpose(1, 2, 0)).save(buffer, 'WEBP', quality=QUALITY, method=6)
                    z.writestr(ZipInfo(f"{part}/{c.replace('-', ' ')}/{k:02}.webp"), buffer.getvalue())

if __name__ == '__main__': main(Path(sys.argv[1]), Path(sys.argv[2]))
