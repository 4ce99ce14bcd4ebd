"""Train on handwritten digits as MNIST has them, 28x28 pixels of white on black, and write some as on paper."""

from pathlib import Path

import joblib
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

small, digits = load_digits(return_X_y=True)  # 1,797 digits of 43 people, 8x8 pixels from 0 to 16
images = [Image.fromarray((image.reshape(8, 8) * 255 / 16).astype(np.uint8)).resize((28, 28)) for image in small]
pixels = np.array([np.asarray(image).reshape(-1) for image in images]) / 255
train, test = train_test_split(np.arange(len(digits)), random_state=0, stratify=digits)

model = SGDClassifier(random_state=0).fit(pixels[train], digits[train])
joblib.dump(model, "digits.pkl.gz")
score = model.score(pixels[test], digits[test])
print(f"trained on {len(train)} digits; of {len(test)} others {score:.2%} are right")

folder = Path("test-images")
folder.mkdir(exist_ok=True)
for place in test:
    ink_on_paper = Image.fromarray(255 - np.asarray(images[place]))
    ink_on_paper.save(folder / f"{digits[place]}-{place}.png")
for digit in range(10):
    (folder / f"{digit}.png").write_bytes(next(folder.glob(f"{digit}-*.png")).read_bytes())
