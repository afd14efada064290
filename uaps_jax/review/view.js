// The zoom of an image in a scrolled stage.

const LEAST = 0.02;
const MOST = 40;
const NEAR = 2; // above it, pixels are shown as squares

export class View {
  // `sheet` lies in `stage` and gets the size of the image; `changed` is told the zoom.
  constructor(stage, sheet, changed) {
    this.stage = stage;
    this.sheet = sheet;
    this.changed = changed;
    this.width = this.height = this.zoom = 1;
    this.isFitted = true;
    new ResizeObserver(() => this.isFitted && this.fit()).observe(stage);
  }

  show(width, height) {
    this.width = width;
    this.height = height;
    if (this.isFitted) this.fit();
    else this.#apply();
  }

  fit() {
    this.isFitted = true;
    const width = (this.stage.clientWidth - 2) / this.width;
    const height = (this.stage.clientHeight - 2) / this.height;
    this.zoom = Math.min(width, height);
    this.#apply();
  }

  // Keeps the point at (x, y), in pixels of the window, where it is; by default the middle.
  by(factor, x, y) {
    const before = this.sheet.getBoundingClientRect();
    const box = this.stage.getBoundingClientRect();
    const centreX = x ?? box.left + this.stage.clientWidth / 2;
    const centreY = y ?? box.top + this.stage.clientHeight / 2;
    const shareX = (centreX - before.left) / before.width;
    const shareY = (centreY - before.top) / before.height;
    this.isFitted = false;
    this.zoom = Math.min(Math.max(this.zoom * factor, LEAST), MOST);
    this.#apply();
    const after = this.sheet.getBoundingClientRect();
    this.stage.scrollLeft += after.left + shareX * after.width - centreX;
    this.stage.scrollTop += after.top + shareY * after.height - centreY;
  }

  // The pixel, with fractions, under a point of the window.
  place(event) {
    const box = this.sheet.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.width,
      ((event.clientY - box.top) / box.height) * this.height,
    ];
  }

  #apply() {
    this.sheet.style.width = `${this.width * this.zoom}px`;
    this.sheet.style.height = `${this.height * this.zoom}px`;
    this.sheet.classList.toggle("near", this.zoom > NEAR);
    this.changed(this.zoom);
  }
}
